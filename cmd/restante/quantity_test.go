package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/broker"
)

func TestQuantities(t *testing.T) {
	for text, want := range map[string]size{"0": 0, "17": 17, "64KiB": 64 << 10, "4MiB": 4 << 20, "1GiB": 1 << 30, "off": -1, "-1": -1} {
		var got size
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "KiB", "4kb", "1.5MiB", "9999999999GiB", "9223372036854775808", "4 MiB"} {
		require.Error(t, new(size).UnmarshalText([]byte(text)), text)
	}
	for text, want := range map[string]duration{"0s": 0, "1h30m": duration(90 * time.Minute), "off": -1, "-1s": duration(-time.Second)} {
		var got duration
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, got, text)
	}
	for text, want := range map[string]count{"0": 0, "12": 12, "off": -1} {
		var got count
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "many", "1.5", "1k"} {
		require.Error(t, new(count).UnmarshalText([]byte(text)), text)
	}
}

// TestEveryLimitIsAFlag sets every field of the flags and finds every field of the broker's config set but those that are no limits.
func TestEveryLimitIsAFlag(t *testing.T) {
	var f limitFlags
	v := reflect.ValueOf(&f).Elem()
	for i := range v.NumField() {
		switch field := v.Field(i); field.Kind() {
		case reflect.Bool:
			field.SetBool(true)
		case reflect.String:
			field.SetString("set")
		default:
			field.SetInt(int64(1000 + i))
		}
	}
	seen := map[int64]string{}
	cfg := reflect.ValueOf(f.config())
	for i := range cfg.NumField() {
		name := cfg.Type().Field(i).Name
		switch name {
		case "DataDir", "Sync", "MemoryLimit", "SleepAfter", "SpillAbove", // see storage_test.go
			"Snapshot", "TopicSnapshot", "Authorize", "Insecure", "AllowOrigins", "Logger", "fs":
			require.True(t, cfg.Field(i).IsZero(), name)
			continue
		}
		require.False(t, cfg.Field(i).IsZero(), "%s has no flag", name)
		if cfg.Field(i).CanInt() {
			n := cfg.Field(i).Int()
			require.Equal(t, v.FieldByName(name).Int(), n, "%s comes from the wrong flag", name)
			require.Empty(t, seen[n], "%s and %s come from one flag", name, seen[n])
			seen[n] = name
		}
	}
}

// TestDefaultsAreTheBrokers holds what --help says to what an embedding program gets with an empty Config. MaxTotalBytes is left to the broker: its
// default goes by the store.
func TestDefaultsAreTheBrokers(t *testing.T) {
	var c struct {
		Limits limitFlags `embed:""`
	}
	parser, err := kong.New(&c)
	require.NoError(t, err)
	_, err = parser.Parse(nil)
	require.NoError(t, err)
	require.Equal(t, broker.Config{
		MaxFrames: 10_000, MaxOutboxBytes: 4 << 20, MaxAge: 24 * time.Hour, ResumeWindow: time.Minute, MaxConnections: 16,
		MaxFrameBytes: 64 << 10, MaxMessageBytes: 1 << 20, MaxClients: 1_000_000, MaxInFlightBytes: 64 << 20,
		RecordTTL: 24 * time.Hour, MaxRecords: 10_000, TopicFrames: 1000, MaxTopics: 100_000, ClientTTL: 24 * time.Hour, JanitorInterval: time.Hour,
		PingInterval: 25 * time.Second, PongTimeout: 35 * time.Second,
		MessageTimeout: 30 * time.Second, HandshakeTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, Poller: "auto",
	}, c.Limits.config())
}
