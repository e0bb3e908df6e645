package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/restante/restante/protocol"
)

// topicCmd is what can be done with topics.
type topicCmd struct {
	Publish topicPublishCmd `cmd:"" help:"Publish standard input to a topic, one frame a line."`
	Tail    topicTailCmd    `cmd:"" help:"Print a topic's frames as they come, one a line, until it is closed."`
	Close   topicCloseCmd   `cmd:"" help:"Close a topic: what it holds stays readable, and nothing more can be published to it."`
	List    topicListCmd    `cmd:"" name:"ls" help:"List topics, or who follows one."`
}

// topicPublishCmd publishes to a topic.
type topicPublishCmd struct {
	API    apiFlags `embed:""`
	Topic  string   `arg:"" help:"The topic; it is made where there is none."`
	Frames []string `arg:"" optional:"" name:"frame" help:"Frames to publish instead of standard input's lines."`

	Publish publishFlags `embed:""`
}

// Help is shown below the flags.
func (topicPublishCmd) Help() string {
	return "Each argument, or without one each line of standard input, is one frame" + publishHelp
}

// Run publishes until the input ends.
func (c *topicPublishCmd) Run(p *process) error {
	if err := checkTopic(c.Topic); err != nil {
		return err
	}
	a, err := c.API.open()
	if err != nil {
		return err
	}
	to := target{name: "topic " + c.Topic, path: topicPath(c.Topic, "/frames")}
	return c.Publish.run(p, a, to, newWindow(0, 0), c.Frames)
}

// topicCloseCmd closes a topic.
type topicCloseCmd struct {
	API   apiFlags `embed:""`
	Topic string   `arg:"" help:"The topic."`
}

// Help is shown below the flags.
func (topicCloseCmd) Help() string {
	return "It prints the topic's last cursor, epoch:seq. A topic that is closed already is left as it is, with exit status 0."
}

// Run prints where the topic's last frame is.
func (c *topicCloseCmd) Run(p *process) error {
	if err := checkTopic(c.Topic); err != nil {
		return err
	}
	a, err := c.API.open()
	if err != nil {
		return err
	}
	ctx, cancel := untilSignal(p.signals())
	defer cancel()
	var out protocol.TopicPublished
	if err := a.call(ctx, call{method: http.MethodPost, path: topicPath(c.Topic, "/close")}, &out); err != nil {
		return interrupted(ctx, err)
	}
	_, err = fmt.Fprintf(p.out, "%s:%d\n", out.Epoch, out.Seq)
	return err
}

// topicListCmd lists topics, or a topic's followers.
type topicListCmd struct {
	API   apiFlags `embed:""`
	Topic string   `arg:"" optional:"" help:"List who follows this topic, by its name or by a pattern."`
	JSON  bool     `name:"json" help:"Print what the broker says of each, as an object a line."`
}

// Help is shown below the flags.
func (topicListCmd) Help() string {
	return "A line has a topic's name, the number of its last frame, how many frames are retained, and whether it is open or closed; " +
		"or, of a follower, the client_id."
}

// Run prints page by page.
func (c *topicListCmd) Run(p *process) error {
	if c.Topic != "" {
		if err := checkTopic(c.Topic); err != nil {
			return err
		}
	}
	a, err := c.API.open()
	if err != nil {
		return err
	}
	ctx, cancel := untilSignal(p.signals())
	defer cancel()
	get := call{method: http.MethodGet, path: "/v1/topics", query: url.Values{}}
	if c.Topic != "" {
		get.path = topicPath(c.Topic, "")
	}
	for {
		var page struct { // a list, or one topic's state
			Topics    []protocol.TopicState `json:"topics"`
			Followers []protocol.Follower   `json:"followers"`
			Cursor    string                `json:"cursor"`
		}
		if err := a.call(ctx, get, &page); err != nil {
			return interrupted(ctx, err)
		}
		for _, t := range page.Topics {
			if err := c.print(p.out, t, topicLine(t)); err != nil {
				return err
			}
		}
		for _, f := range page.Followers {
			if err := c.print(p.out, f, f.ClientID); err != nil {
				return err
			}
		}
		if page.Cursor == "" {
			return nil
		}
		get.query.Set("cursor", page.Cursor)
	}
}

func (c *topicListCmd) print(w io.Writer, v any, line string) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(v)
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

func topicLine(t protocol.TopicState) string {
	state := "open"
	if t.Closed {
		state = "closed"
	}
	return fmt.Sprintf("%s %d %d %s", t.Topic, t.Head, t.Frames, state)
}

// topicPath is the path below /v1/topics of a checked topic.
func topicPath(topic, rest string) string { return "/v1/topics/" + url.PathEscape(topic) + rest }

// checkTopic refuses what is no topic's name before anything is asked of the broker.
func checkTopic(name string) error {
	if err := protocol.CheckTopic(name); err != nil {
		return usageError{err}
	}
	return nil
}
