package broker_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/restante/restante/broker"
)

// The whole of an embedding: a broker in one's own program, mounted in one's own mux.
func ExampleNew() {
	b, err := broker.New(broker.Config{}) // everything at its default
	if err != nil {
		panic(err)
	}
	defer b.Close()
	mux := http.NewServeMux()
	mux.Handle("/v1/", b.Handler())
	server := httptest.NewServer(mux) // or http.ListenAndServe("127.0.0.1:7480", mux)
	defer server.Close()

	_, err = b.Publish(context.Background(), "tab-1", []byte(`{"type":"progress","pct":40}`))
	if err != nil {
		panic(err)
	}

	r, err := http.Get(server.URL + "/v1/clients/tab-1/frames?since=0") // a browser would open a WebSocket at /v1/ws?client_id=tab-1
	if err != nil {
		panic(err)
	}
	defer r.Body.Close()
	fmt.Println(r.Status)
	_, _ = bufio.NewReader(r.Body).ReadBytes('\n')
	// Output: 200 OK
}

// An agent is just another client: it reads what users type from its own outbox, within the process, and nothing is lost while it is away.
func ExampleClient_Inbox() {
	b, err := broker.New(broker.Config{})
	if err != nil {
		panic(err)
	}
	defer b.Close()
	ctx := context.Background()
	if _, err := b.Client("tab-1").Send(ctx, "agent", "", []byte(`{"type":"question","text":"why?"}`)); err != nil {
		panic(err)
	}

	in, err := b.Client("agent").Inbox(broker.InboxOptions{})
	if err != nil {
		panic(err)
	}
	defer in.Close()
	f, err := in.Next(ctx) // calling it again says that this one has been dealt with
	if err != nil {
		panic(err)
	}
	fmt.Println(string(f.Raw))
	// Output: {"seq":1,"from":"tab-1","type":"question","text":"why?"}
}
