package client_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/restante/restante/client"
)

// An agent that reads its outbox and answers each frame. The cursor is kept with the state, here nowhere: it starts with the frames that are retained.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var c *client.Client
	c, err := client.New(client.Config{
		URL:      "http://127.0.0.1:7480",
		ClientID: "agent-1",
		Handler: func(ctx context.Context, f client.Frame) error {
			if f.From == "" {
				return nil
			}
			_, err := c.Send(ctx, f.From, []byte(`{"type":"heard"}`))
			return err
		},
		OnResume: func(r client.ResumeReport) { fmt.Println(r) },
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Print(c.Run(ctx))
}

// A screen that shows a job's log. What it has is kept together with both cursors, and comes back with them: the outbox goes on where it was, and so does the topic.
func ExampleClient_Subscribe() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	screen := struct{ Cursor, TopicCursor, Text string }{} // as it was saved
	var c *client.Client
	c, err := client.New(client.Config{
		URL:      "http://127.0.0.1:7480",
		ClientID: "screen-1",
		Cursor:   screen.Cursor,
		Handler: func(_ context.Context, f client.Frame) error {
			if f.Topic == "jobs.7" {
				screen.Text += string(f.Raw) + "\n"
			}
			screen.Cursor, screen.TopicCursor = c.Cursor(), c.TopicCursor("jobs.7")
			return nil
		},
		OnTopicReset:    func(client.TopicReset) { screen.Text = "" },
		OnTopicSnapshot: func(_ string, _ uint64, data []byte) error { screen.Text = string(data); return nil },
		OnTopicHole:     func(h client.TopicHole) { screen.Text += h.String() + "\n" },
		OnUnsubscribed: func(u client.Unsubscribed) {
			if u.Closed {
				fmt.Print(screen.Text) // all of it
				stop()
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	from := client.SubscribeOptions{History: new(100)}
	if screen.TopicCursor != "" {
		from = client.SubscribeOptions{Since: screen.TopicCursor}
	}
	go func() {
		if _, err := c.Subscribe(ctx, "jobs.7", from); err != nil {
			log.Print(err)
		}
	}()
	log.Print(c.Run(ctx))
}

// Next takes frames one at a time: its next call says that the frame before has been applied.
func ExampleClient_Next() {
	c, err := client.New(client.Config{URL: "http://127.0.0.1:7480", ClientID: "tab-1", Cursor: os.Getenv("CURSOR")})
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Print(c.Run(context.Background())) }()
	for {
		f, err := c.Next(context.Background())
		if err != nil {
			return
		}
		fmt.Println(string(f.Raw), c.Cursor())
	}
}
