package broker

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// BenchmarkPublishInProcess measures a whole publish of a frame of 256 bytes by the embedding program: with its receipt, and posted; to one client that nobody reads,
// to many of them in turn, and to one with a reader within the process.
func BenchmarkPublishInProcess(b *testing.B) {
	frame := fmt.Appendf(nil, `{"type":"x","fill":"%s"}`, strings.Repeat("x", 256-len(`{"type":"x","fill":""}`)))
	for _, to := range []struct {
		what    string
		clients int
		read    bool
	}{{"offline", 1, false}, {"10000-offline", 10_000, false}, {"reader", 1, true}} {
		for _, how := range []string{"publish", "post"} {
			b.Run(to.what+"/"+how, func(b *testing.B) {
				br, err := New(Config{Logger: slog.New(slog.DiscardHandler), MaxTotalBytes: -1})
				if err != nil {
					b.Fatal(err)
				}
				defer br.Close()
				clients := make([]*Client, to.clients)
				for i := range clients {
					clients[i] = br.Client(fmt.Sprintf("%036d", i))
				}
				if to.read {
					in, err := clients[0].Inbox(InboxOptions{})
					if err != nil {
						b.Fatal(err)
					}
					defer in.Close()
					go func() {
						for {
							if _, err := in.Next(context.Background()); err != nil {
								return
							}
						}
					}()
				}
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if c := clients[i%len(clients)]; how == "post" {
						err = c.Post(frame)
					} else {
						_, err = c.Publish(context.Background(), frame)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
