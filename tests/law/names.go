package law

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// forbidden are package names that say nothing about what is inside.
var forbidden = []string{"base", "common", "helper", "helpers", "misc", "model", "models", "shared", "type", "types", "util", "utils"}

// silent are methods of the standard library's interfaces: their meaning is written there.
var silent = []string{
	"Error", "Unwrap", "Is", "As", "String", "GoString", "Format", "Len", "Less", "Swap", "Read", "Write", "Close", "ServeHTTP",
	"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText",
}

// PackageNames returns the packages with a name that says nothing.
func (t *Tree) PackageNames() []Violation {
	var found []Violation
	for _, f := range t.Files {
		name := strings.TrimSuffix(f.AST.Name.Name, "_test")
		if slices.Contains(forbidden, name) || slices.Contains(forbidden, path.Base(f.Room)) {
			found = append(found, t.violation(f.AST.Name, "a package may not be called %s, or lie in %s", name, f.Room))
		}
	}
	return found
}

// Comments returns the exported names, and the packages, that no comment explains. A comment above a group explains the whole group.
func (t *Tree) Comments() []Violation {
	var found []Violation
	explained := map[string]bool{}
	first := map[string]File{}
	for _, f := range t.Files {
		if f.Test() {
			continue
		}
		if _, seen := first[f.Room]; !seen {
			first[f.Room] = f
		}
		explained[f.Room] = explained[f.Room] || f.AST.Doc.Text() != ""
		for _, d := range f.AST.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc.Text() == "" && reachable(d) {
					found = append(found, t.violation(d, "%s has no comment", d.Name.Name))
				}
			case *ast.GenDecl:
				found = append(found, t.unexplained(d)...)
			}
		}
	}
	for room, f := range first {
		if !explained[room] {
			found = append(found, t.violation(f.AST, "package %s has no comment", room))
		}
	}
	return found
}

// reachable reports whether an exported function or method can be called from outside and has no meaning written elsewhere.
func reachable(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	receiver := d.Recv.List[0].Type
	for {
		switch r := receiver.(type) {
		case *ast.StarExpr:
			receiver = r.X
		case *ast.IndexExpr:
			receiver = r.X
		case *ast.IndexListExpr:
			receiver = r.X
		case *ast.Ident:
			return r.IsExported() && !slices.Contains(silent, d.Name.Name)
		default:
			return false
		}
	}
}

func (t *Tree) unexplained(d *ast.GenDecl) []Violation {
	if d.Tok == token.IMPORT || (d.Lparen.IsValid() && d.Doc.Text() != "") {
		return nil
	}
	var found []Violation
	for _, s := range d.Specs {
		var names []*ast.Ident
		var comments []*ast.CommentGroup
		switch s := s.(type) {
		case *ast.TypeSpec:
			names, comments = []*ast.Ident{s.Name}, []*ast.CommentGroup{d.Doc, s.Doc, s.Comment}
		case *ast.ValueSpec:
			names, comments = s.Names, []*ast.CommentGroup{d.Doc, s.Doc, s.Comment}
		}
		if slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return c.Text() != "" }) {
			continue
		}
		for _, n := range names {
			if n.IsExported() {
				found = append(found, t.violation(n, "%s has no comment", n.Name))
			}
		}
	}
	return found
}
