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
	"cmd/restante/child":      {},
	"cmd/restante/demo":       {"protocol", "client", "bench", "cmd/restante/child"},
	"cmd/restante/demo/agent": {"protocol", "client"},
	"cmd/restante/demo/ui":    {"protocol", "broker", "transport", "web", "cmd/restante/child", "cmd/restante/demo", "cmd/restante/demo/agent"},
	"tests":                   {"protocol", "broker", "client", "bench"},
	"tests/law":               {},
	"tests/web/grants":        {"protocol", "broker"},
}

// Pure are the rooms of standard library only, without a clock, input, output or a goroutine: time comes in as a value.
var Pure = []string{"protocol", "registry/outbox", "registry/session", "registry/topic", "bench/plot"}

// impure are the packages whose import would give a pure room input, output or a lock to wait for.
var impure = []string{"bufio", "io", "log", "net", "os", "sync", "syscall", "runtime", "context", "testing"}

// clock are the functions of package time that read or wait for the clock.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// Imports returns where the import law is broken.
func (t *Tree) Imports() []Violation {
	var found []Violation
	for _, f := range t.Files {
		may, known := Rooms[f.Room]
		if !known {
			found = append(found, t.violation(f.AST, "%q is no room that the import law knows", f.Room))
			continue
		}
		if f.Test() {
			continue
		}
		for _, i := range f.AST.Imports {
			target, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				continue // the parser has refused it
			}
			room, own := strings.CutPrefix(target, Module+"/")
			switch {
			case own && !slices.Contains(may, room):
				found = append(found, t.violation(i, "%s may not import %s", f.Room, room))
			case !own && slices.Contains(Pure, f.Room) && !standard(target):
				found = append(found, t.violation(i, "%s may import the standard library only, not %s", f.Room, target))
			}
		}
	}
	return found
}

// standard reports whether an import path is the standard library's: its first element holds no dot.
func standard(target string) bool {
	first, _, _ := strings.Cut(target, "/")
	return !strings.Contains(first, ".")
}

// Purity returns where a pure room reads a clock, starts a goroutine, or gets at input or output.
func (t *Tree) Purity() []Violation {
	var found []Violation
	for _, f := range t.Files {
		if f.Test() || !slices.Contains(Pure, f.Room) {
			continue
		}
		for _, i := range f.AST.Imports {
			target, _ := strconv.Unquote(i.Path.Value)
			if first, _, _ := strings.Cut(target, "/"); standard(target) && slices.Contains(impure, first) {
				found = append(found, t.violation(i, "%s is pure and may not import %s", f.Room, target))
			}
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				found = append(found, t.violation(n, "%s is pure and may not start a goroutine", f.Room))
			case *ast.ChanType, *ast.SelectStmt, *ast.SendStmt:
				found = append(found, t.violation(n, "%s is pure and may not use a channel", f.Room))
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains(clock, n.Sel.Name) {
					found = append(found, t.violation(n, "%s is pure and may not call time.%s", f.Room, n.Sel.Name))
				}
			}
			return true
		})
	}
	return found
}
