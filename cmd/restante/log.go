package main

import (
	"fmt"
	"io"
	"log/slog"
)

// logFlags choose what is logged on standard error, and how.
type logFlags struct {
	Level  string `default:"info" enum:"debug,info,warn,error" help:"Log from this level up: debug, info, warn or error."`
	Format string `default:"text" enum:"text,json" help:"Log as text or json."`
}

func (f logFlags) open(w io.Writer) (*slog.Logger, error) {
	o := new(slog.HandlerOptions)
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.Level)); err != nil {
		return nil, usageError{fmt.Errorf("--log-level: %w", err)}
	}
	o.Level = level
	if f.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return slog.New(slog.NewTextHandler(w, o)), nil
}
