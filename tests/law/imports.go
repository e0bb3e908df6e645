package law

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
)

// Rooms is the import law: for each room the rooms that it may import, besides the rooms inside itself. A room that is not here may not
// hold Go code. Test files may import what they like.
var Rooms = map[string][]string{
	"protocol":                   {},
	"registry/outbox":            {"protocol"},
	"registry/session":           {"protocol", "registry/outbox"},
	"registry/store":             {"protocol"},
	"registry/store/memory":      {"protocol", "registry/store"},
	"registry/store/pebble":      {"protocol", "registry/store"},
	"registry/store/conformance": {"protocol", "registry/store"},
	"registry/topic":             {"protocol"},
	"registry":                   {"protocol", "registry/outbox", "registry/session", "registry/store", "registry/topic", "actors"},
	"actors":                     {"protocol"},
	"janitor":                    {"protocol", "actors"},
	"transport":                  {"protocol", "actors"},
	"broker": {"protocol", "registry", "registry/outbox", "registry/session", "registry/store", "registry/store/memory", "registry/store/pebble", "registry/topic",
		"actors", "janitor", "transport", "web"},
	"web":         {},
	"client":      {"protocol"},
	"bench":       {"protocol", "client"},
	"bench/stand": {},
	"bench/plot":  {"bench"},
	"cmd/restante": {"protocol", "broker", "client", "bench", "bench/stand", "bench/plot", "registry/store/pebble", "cmd/restante/demo",
		"cmd/restante/demo/ui", "cmd/restante/child"},
	"cmd/restante/child": {},
	"cmd/restante/demo":  {"protocol", "client", "bench", "cmd/restante/child"},
	"tests":              {"protocol", "broker", "client", "bench"},
	"tests/law":          {},

	"cmd/restante/demo/agent": {"protocol", "client"},
	"cmd/restante/demo/ui":    {"protocol", "broker", "transport", "web", "cmd/restante/child", "cmd/restante/demo", "cmd/restante/demo/agent"},
