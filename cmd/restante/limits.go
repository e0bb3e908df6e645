package main

import (
	"time"

	"github.com/restante/restante/broker"
)

// limitFlags are the broker's bounds and times. The word "off" takes one away; 0 means the default.
type limitFlags struct {
	MaxFrames      count    `group:"outbox" default:"10000" help:"Frames that one client's outbox retains."`
	MaxOutboxBytes size     `group:"outbox" default:"4MiB" help:"Bytes that one outbox retains, bodies plus 64 a frame."`
	MaxAge         duration `group:"outbox" default:"24h" help:"How long a frame is retained."`
	RetainAcked    count    `group:"outbox" default:"0" help:"How many acked frames stay, for a fresh page to be rebuilt from."`
	MaxFrameBytes  size     `group:"outbox" default:"64KiB" help:"Longest frame that may be published."`

	TopicFrames count    `group:"topic" default:"1000" help:"Frames that one topic's log retains, up to 131072."`
	TopicBytes  size     `group:"topic" placeholder:"4MiB" help:"Bytes that one topic's log retains, bodies plus 64 a frame; by default 512 for each of --topic-frames where that is more than 4MiB."`
	TopicAge    duration `group:"topic" placeholder:"24h" help:"How long a topic's log retains a frame; by default as --max-age."`
	MaxTopics   count    `group:"topic" default:"100000" help:"Topics; further ones are answered with overloaded."`

	MaxConnections   count    `group:"connection" default:"16" help:"Connections of one client."`
	ResumeWindow     duration `group:"connection" default:"60s" help:"How long a lost connection's unacked frames are kept from being pruned by others' acks."`
	PingInterval     duration `group:"connection" default:"25s" help:"How often a connection is pinged."`
	PongTimeout      duration `group:"connection" default:"35s" help:"How long after a ping's time a silent connection is closed."`
	ProtocolPings    bool     `group:"connection" help:"Send RFC 6455 pings besides the JSON ones."`
	MessageTimeout   duration `group:"connection" default:"30s" help:"How long a client may take to send one message."`
	HandshakeTimeout duration `group:"connection" default:"10s" help:"How long a client may take to send its request."`
	WriteTimeout     duration `group:"connection" default:"10s" help:"How long a write may make no progress."`
	Poller           string   `group:"connection" default:"auto" enum:"auto,off" help:"How sockets are read: auto is, for plain TCP on Linux, one goroutine a core for all; off is a goroutine each."`
	MaxMessageBytes  size     `group:"connection" default:"1MiB" help:"Longest snapshot message."`

	MaxClients       count    `group:"broker" default:"1000000" help:"Clients; further ones are answered with overloaded."`
	MaxTotalBytes    size     `group:"broker" placeholder:"16GiB" help:"Bytes of all outboxes together; 1GiB by default with --memory."`
	MaxInFlightBytes size     `group:"broker" default:"64MiB" help:"Bytes that publishers may have under way."`
	MaxRecords       count    `group:"broker" default:"10000" help:"Records of message ids, for each outbox."`
	RecordTTL        duration `group:"broker" name:"record-ttl" default:"24h" help:"How long a message id is remembered."`
	ClientTTL        duration `group:"broker" name:"client-ttl" default:"24h" help:"How long an idle client is kept; never less than --max-age."`
	JanitorInterval  duration `group:"broker" default:"1h" help:"How often the janitor sweeps."`
}

// config returns the flags as the broker takes them.
func (f limitFlags) config() broker.Config {
	return broker.Config{
		MaxFrames:        int(f.MaxFrames),
		MaxOutboxBytes:   int64(f.MaxOutboxBytes),
		MaxAge:           time.Duration(f.MaxAge),
		RetainAcked:      int(f.RetainAcked),
		ResumeWindow:     time.Duration(f.ResumeWindow),
		TopicFrames:      int(f.TopicFrames),
		TopicBytes:       int64(f.TopicBytes),
		TopicAge:         time.Duration(f.TopicAge),
		MaxTopics:        int(f.MaxTopics),
		MaxConnections:   int(f.MaxConnections),
		MaxFrameBytes:    int(f.MaxFrameBytes),
		MaxMessageBytes:  int(f.MaxMessageBytes),
		MaxClients:       int(f.MaxClients),
		MaxTotalBytes:    int64(f.MaxTotalBytes),
		MaxInFlightBytes: int64(f.MaxInFlightBytes),
		RecordTTL:        time.Duration(f.RecordTTL),
		MaxRecords:       int(f.MaxRecords),
		ClientTTL:        time.Duration(f.ClientTTL),
		JanitorInterval:  time.Duration(f.JanitorInterval),
		PingInterval:     time.Duration(f.PingInterval),
		PongTimeout:      time.Duration(f.PongTimeout),
		ProtocolPings:    f.ProtocolPings,
		MessageTimeout:   time.Duration(f.MessageTimeout),
		HandshakeTimeout: time.Duration(f.HandshakeTimeout),
		WriteTimeout:     time.Duration(f.WriteTimeout),
		Poller:           f.Poller,
	}
}
