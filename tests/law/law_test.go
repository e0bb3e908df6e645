package law_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/tests/law"
)

// tree parses the tree that this test lies in.
func tree(t *testing.T) *law.Tree {
	t.Helper()
	root := os.DirFS("../..")
	mod, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(mod), "module "+law.Module+"\n"), "the tree's root is not where this test looks for it")
	tree, err := law.Parse(root)
	require.NoError(t, err)
	require.Greater(t, len(tree.Files), 20, "most of the tree is missing")
	return tree
}

// madeUp parses a tree of files given by path.
func madeUp(t *testing.T, files map[string]string) *law.Tree {
	t.Helper()
	fs := fstest.MapFS{"go.mod": {Data: []byte("module " + law.Module + "\n")}}
	for path, src := range files {
		fs[path] = &fstest.MapFile{Data: []byte(src)}
	}
	tree, err := law.Parse(fs)
	require.NoError(t, err)
	return tree
}

func none(t *testing.T, found []law.Violation) {
	t.Helper()
	for _, v := range found {
		t.Error(v)
	}
}

func TestImportLawHolds(t *testing.T)       { none(t, tree(t).Imports()) }
func TestPureRoomsArePure(t *testing.T)     { none(t, tree(t).Purity()) }
func TestPackageNamesSayWhat(t *testing.T)  { none(t, tree(t).PackageNames()) }
func TestExportedNamesExplain(t *testing.T) { none(t, tree(t).Comments()) }

func TestEveryBuiltRuleHasATest(t *testing.T) {
	named := tree(t).Rules()
	for _, n := range law.Built() {
		if !named[n] {
			t.Errorf("no test names P-%d", n)
		}
	}
}

// TestLawCanBeBroken shows each law its violation, and the nearest thing that is none.
func TestLawCanBeBroken(t *testing.T) {
	imports, purity := (*law.Tree).Imports, (*law.Tree).Purity
	names, comments := (*law.Tree).PackageNames, (*law.Tree).Comments
	for name, c := range map[string]struct {
		law  func(*law.Tree) []law.Violation
		path string
		src  string
		want string // "" for no violation
	}{
		"transport imports registry": {imports, "transport/x.go", `package transport; import _ "github.com/restante/restante/registry"`,
			"transport/x.go:1: transport may not import registry"},
		"transport's test imports registry": {imports, "transport/x_test.go", `package transport; import _ "github.com/restante/restante/registry"`, ""},
		"transport imports actors":          {imports, "transport/x.go", `package transport; import _ "github.com/restante/restante/actors"`, ""},
		"protocol imports a library":        {imports, "protocol/x.go", `package protocol; import _ "github.com/google/uuid"`, "protocol may import the standard library only, not github.com/google/uuid"},
		"an unknown room":                   {imports, "cache/x.go", `package cache`, `"cache" is no room that the import law knows`},
		"a room inside a room":              {imports, "actors/inner/x.go", `package inner`, `"actors/inner" is no room that the import law knows`},
		"the root as a room":                {imports, "x.go", `package restante`, `"" is no room that the import law knows`},
		"a room below tests":                {imports, "tests/peers/x.go", `package peers`, `"tests/peers" is no room that the import law knows`},
		"session reads the clock":           {purity, "registry/session/x.go", "package session\nimport \"time\"\nvar t = time.Now()", "registry/session/x.go:3: registry/session is pure and may not call time.Now"},
		"session takes a duration":          {purity, "registry/session/x.go", "package session\nimport \"time\"\nvar t = time.Second", ""},
		"outbox starts a goroutine":         {purity, "registry/outbox/x.go", "package outbox\nfunc f() { go f() }", "may not start a goroutine"},
		"outbox waits on a channel":         {purity, "registry/outbox/x.go", "package outbox\nvar c chan int", "may not use a channel"},
		"protocol opens a file":             {purity, "protocol/x.go", "package protocol\nimport _ \"os\"", "may not import os"},
		"registry starts a goroutine":       {purity, "registry/x.go", "package registry\nfunc f() { go f() }", ""},
		"package util":                      {names, "actors/x.go", "package util", "may not be called util"},
		"directory common":                  {names, "actors/common/x.go", "package box", "or lie in actors/common"},
		"test package types_test":           {names, "actors/x_test.go", "package types_test", "may not be called types"},
		"exported function":                 {comments, "actors/x.go", "// Package actors is.\npackage actors\nfunc Run() {}", "actors/x.go:3: Run has no comment"},
		"explained function":                {comments, "actors/x.go", "// Package actors is.\npackage actors\n// Run runs.\nfunc Run() {}", ""},
		"method of an unexported type":      {comments, "actors/x.go", "// Package actors is.\npackage actors\ntype t int\nfunc (t) Run() {}", ""},
		"method of an exported type":        {comments, "actors/x.go", "// Package actors is.\npackage actors\n// T is.\ntype T[E any] struct{}\nfunc (*T[E]) Run() {}", "Run has no comment"},
		"method of a known interface":       {comments, "actors/x.go", "// Package actors is.\npackage actors\n// T is.\ntype T int\nfunc (T) String() string { return \"\" }", ""},
		"exported type":                     {comments, "actors/x.go", "// Package actors is.\npackage actors\ntype T int", "T has no comment"},
		"exported constant":                 {comments, "actors/x.go", "// Package actors is.\npackage actors\nconst A, b = 1, 2", "A has no comment"},
		"explained group":                   {comments, "actors/x.go", "// Package actors is.\npackage actors\n// Both.\nconst (\nA = 1\nB = 2\n)", ""},
		"unexplained package":               {comments, "actors/x.go", "package actors", "package actors has no comment"},
	} {
		t.Run(name, func(t *testing.T) {
			found := c.law(madeUp(t, map[string]string{c.path: c.src}))
			if c.want == "" {
				require.Empty(t, found)
				return
			}
			require.NotEmpty(t, found)
			require.Contains(t, found[0].String(), c.want)
		})
	}
}

func TestNestedModuleIsNotTheTrees(t *testing.T) {
	tree := madeUp(t, map[string]string{
		"tests/peers/go.mod": "module peers", "tests/peers/x.go": "package util", "actors/testdata/x.go": "package util", ".hidden/x.go": "package util",
	})
	require.Empty(t, tree.Files)
}

func TestRulesAreFoundWhereTestsNameThem(t *testing.T) {
	named := madeUp(t, map[string]string{
		"actors/a_test.go": "package actors\nfunc TestP13P14_Bounds() {}\nfunc helperP15() {}\nvar _ = `P-16 spreads pings`\nvar _ = `see P-17`",
		"actors/b.go":      "package actors\nfunc TestP18() {}\nvar _ = `P-20`",
	}).Rules()
	require.Equal(t, map[int]bool{13: true, 14: true, 16: true}, named)
}

func TestBuiltIsEveryRule(t *testing.T) {
	require.Len(t, law.Built(), 32)
	require.Equal(t, 1, law.Built()[0])
	require.Equal(t, 32, law.Built()[31])
}
