package law

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

// Built are the rules of the protocol that the tree builds: all of them.
func Built() []int {
	var rules []int
	for n := 1; n <= 32; n++ {
		rules = append(rules, n)
	}
	return rules
}

var (
	inName    = regexp.MustCompile(`P(\d+)`)
	inSubtest = regexp.MustCompile(`^P-?(\d+)\b`)
)

// Rules returns the rules that at least one test names: in the name of a test, fuzz target or example, as in TestP13_Bounds, or at the
// beginning of a string in a test file, as a subtest's name is.
func (t *Tree) Rules() map[int]bool {
	named := map[int]bool{}
	for _, f := range t.Files {
		if !f.Test() {
			continue
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && testName(n.Name.Name) {
					note(named, inName.FindAllStringSubmatch(n.Name.Name, -1))
				}
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
					note(named, inSubtest.FindAllStringSubmatch(s, -1))
				}
			}
			return true
		})
	}
	return named
}

func testName(name string) bool {
	for _, kind := range []string{"Test", "Fuzz", "Example"} {
		if strings.HasPrefix(name, kind) {
			return true
		}
	}
	return false
}

func note(named map[int]bool, found [][]string) {
	for _, m := range found {
		if n, err := strconv.Atoi(m[1]); err == nil {
			named[n] = true
		}
	}
}
