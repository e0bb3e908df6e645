package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Flag values that know the word "off", which broker.Config writes as -1.

// duration is a Go duration such as 10s or 1h30m, or "off".
type duration time.Duration

// UnmarshalText reads a flag's value.
func (d *duration) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "off" {
		*d = -1
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is no duration: write it like 500ms, 10s or 1h30m, or off", s)
	}
	*d = duration(v)
	return nil
}

// count is a whole number, or "off".
type count int

// UnmarshalText reads a flag's value.
func (c *count) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "off" {
		*c = -1
		return nil
	}
	v, err := strconv.Atoi(s)
	if err != nil {
		return fmt.Errorf("%q is no whole number, and not off", s)
	}
	*c = count(v)
	return nil
}

// size is a number of bytes, plain or with KiB, MiB or GiB, or "off".
type size int64

// UnmarshalText reads a flag's value.
func (z *size) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "off" {
		*z = -1
		return nil
	}
	digits, unit := s, int64(1)
	for _, u := range []struct {
		name  string
		bytes int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}} {
		if cut, ok := strings.CutSuffix(s, u.name); ok {
			digits, unit = cut, u.bytes
		}
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || v > math.MaxInt64/unit || v < math.MinInt64/unit {
		return fmt.Errorf("%q is no size: write it in bytes or like 64KiB, 4MiB or 1GiB, or off", s)
	}
	*z = size(v * unit)
	return nil
}
