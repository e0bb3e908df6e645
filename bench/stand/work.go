package stand

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
)

// work is what a publisher is asked for.
type work struct {
	Work    string `json:"work"`
	Prefix  string `json:"prefix"`
	Clients int    `json:"clients"`
	Bytes   int    `json:"bytes"`
	Rate    int    `json:"rate"`
}

// filling is what a fill is asked for.
type filling struct {
	Prefix  string `json:"prefix"`
	Clients int    `json:"clients"`
	Per     int    `json:"per"`
	Bytes   int    `json:"bytes"`
}

// The kinds of work.
const (
	unicast = "unicast"
	fanout  = "fanout"
)

// The bounds of what may be asked for.
const (
	maxClients = 1_000_000 // as many as six digits tell apart
	maxRate    = 10_000_000
	maxPer     = 1_000_000
	maxCredit  = 1_000_000_000
)

var prefixes = regexp.MustCompile(`^[A-Za-z0-9._~:@-]{1,64}$`)

func (w work) validate() error {
	switch {
	case w.Work != unicast && w.Work != fanout:
		return fmt.Errorf("work is %q: it must be %q or %q", w.Work, unicast, fanout)
	case w.Work == fanout && topic(w.Prefix) == "":
		return fmt.Errorf("prefix is %q: a topic is named by what it holds besides a dash at its end", w.Prefix)
	case w.Rate < 0 || w.Rate > maxRate:
		return fmt.Errorf("rate is %d: it must be from 0, which waits for credits, to %d frames a second", w.Rate, maxRate)
	}
	return validate(w.Prefix, w.Clients, w.Bytes)
}

func (f filling) validate() error {
	if f.Per < 1 || f.Per > maxPer {
		return fmt.Errorf("per is %d: it must be from 1 to %d frames a client", f.Per, maxPer)
	}
	return validate(f.Prefix, f.Clients, f.Bytes)
}

func validate(prefix string, clients, bytes int) error {
	switch {
	case !prefixes.MatchString(prefix):
		return fmt.Errorf("prefix is %q: it must be 1 to 64 of A-Z a-z 0-9 . _ ~ : @ -", prefix)
	case clients < 1 || clients > maxClients:
		return fmt.Errorf("clients is %d: it must be from 1 to %d", clients, maxClients)
	case bytes < minFrame || bytes > maxFrame:
		return fmt.Errorf("bytes is %d: a frame has from %d to %d", bytes, minFrame, maxFrame)
	}
	return nil
}

// parse reads one JSON object into v.
func parse(body io.Reader, v interface{ validate() error }) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("the body must be one JSON object of the members that the call has: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("the body must be one JSON object, and something comes after it")
	}
	return v.validate()
}
