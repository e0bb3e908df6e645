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
