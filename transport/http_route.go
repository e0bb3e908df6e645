package transport

import (
	"net/http"
	"net/url"
	"strings"
)

// methods are the endpoints of one path. HEAD is served by GET.
type methods map[string]endpoint

// routes are the paths: fixed ones, and those below a client or a topic by what follows its name, "" for nothing. net/http's own mux takes a path apart more than
// once and answers what it does not like with a redirect; here a path is one of these, or is not found.
type routes struct {
	fixed, client, topic map[string]methods
}

func (h *Handler) routes() routes {
	return routes{
		fixed: map[string]methods{
			"/v1/clients":       {http.MethodGet: h.listClients},
			"/v1/topics":        {http.MethodGet: h.listTopics},
			"/v1/broadcast":     {http.MethodPost: h.broadcast},
			"/v1/janitor/sweep": {http.MethodPost: h.sweep},
			"/healthz":          {http.MethodGet: h.healthz},
			"/readyz":           {http.MethodGet: h.readyz},
			"/metrics":          {http.MethodGet: h.serveMetrics},
		},
		client: map[string]methods{
			"":          {http.MethodGet: h.clientState, http.MethodDelete: h.deleteClient},
			"/frames":   {http.MethodGet: h.readFrames, http.MethodPost: h.publish},
			"/ack":      {http.MethodPost: h.ack},
			"/messages": {http.MethodPost: h.message},
			"/events":   {http.MethodGet: h.events},
			"/snapshot": {http.MethodPut: h.putSnapshot, http.MethodGet: h.snapshot, http.MethodDelete: h.deleteSnapshot},
		},
		topic: map[string]methods{
			"":          {http.MethodGet: h.topicState, http.MethodDelete: h.deleteTopic},
			"/frames":   {http.MethodGet: h.readTopic, http.MethodPost: h.publishTopic},
			"/close":    {http.MethodPost: h.closeTopic},
			"/snapshot": {http.MethodPut: h.putTopicSnapshot, http.MethodGet: h.topicSnapshot, http.MethodDelete: h.deleteTopicSnapshot},
		},
	}
}

// find returns what is at a path as it came, and the name of the client or topic in it; nil: nothing.
func (rs *routes) find(escaped string) (m methods, name string) {
	if m, ok := rs.fixed[escaped]; ok {
		return m, ""
	}
	below, rest := rs.client, ""
	if r, ok := strings.CutPrefix(escaped, "/v1/clients/"); ok {
		rest = r
	} else if r, ok := strings.CutPrefix(escaped, "/v1/topics/"); ok {
		below, rest = rs.topic, r
	}
	end := strings.IndexByte(rest, '/')
	if end < 0 {
		end = len(rest)
	}
	switch rest[:end] {
	case "", ".", "..": // written otherwise, as %2E, they are names, and refused as such
		return nil, ""
	}
	name, err := url.PathUnescape(rest[:end])
	if err != nil {
		return nil, ""
	}
	return below[rest[end:]], name
}
