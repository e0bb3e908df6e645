package law

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// Module is the import path that the tree's own packages begin with.
const Module = "github.com/restante/restante"

// File is one parsed Go file. Room is its directory below the module's root, "" for the root itself.
type File struct {
	Path string
	Room string
	AST  *ast.File
}

// Test reports whether the file is a test's.
func (f File) Test() bool { return strings.HasSuffix(f.Path, "_test.go") }

// Tree is the Go source of one module.
type Tree struct {
	Fset  *token.FileSet
	Files []File
}

// Parse reads every Go file below root, which must be the module's. Hidden directories, testdata and nested modules are left out.
func Parse(root fs.FS) (*Tree, error) {
	t := &Tree{Fset: token.NewFileSet()}
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return enter(root, p)
		case path.Ext(p) != ".go":
			return nil
		}
		src, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(t.Fset, p, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		t.Files = append(t.Files, File{Path: p, Room: strings.TrimPrefix(path.Dir(p), "."), AST: parsed})
		return nil
	})
	return t, err
}

// enter says whether a directory belongs to the tree: nil, or fs.SkipDir.
func enter(root fs.FS, dir string) error {
	if dir == "." {
		return nil
	}
	if name := path.Base(dir); strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "vendor" {
		return fs.SkipDir
	}
	if _, err := fs.Stat(root, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// Violation is one place where a law is broken.
type Violation struct {
	Where string // file:line
	What  string
}

func (v Violation) String() string { return v.Where + ": " + v.What }

func (t *Tree) violation(at ast.Node, format string, args ...any) Violation {
	p := t.Fset.Position(at.Pos())
	return Violation{Where: fmt.Sprintf("%s:%d", p.Filename, p.Line), What: fmt.Sprintf(format, args...)}
}
