package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tree makes a folder with files, and something beside it that is none of the agent's business.
func tree(t *testing.T, files map[string]string) *folder {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "work")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(top, "secret"), []byte("a secret word\n"), 0o600))
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	for link, to := range map[string]string{"out": "../secret", "up": "..", "far": top, "round": "round", "home": "sub"} {
		require.NoError(t, os.Symlink(to, filepath.Join(dir, link)))
	}
	f, err := openFolder(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.close()) })
	return f
}

func TestFolder_NothingOutside(t *testing.T) {
	f := tree(t, map[string]string{"sub/a.txt": "a"})
	for _, typed := range []string{
		"/", "/etc", "/etc/passwd", "..", "../secret", "sub/../..", "sub/../../secret", "./..", "out", "up", "up/secret", "far", "far/secret", "up/work",
		"home/../../secret", "round", "//etc", f.path, f.path + "/sub", "nothing", "sub/nothing", "sub/a.txt/b", "a\x00b",
	} {
		_, _, err := f.inside(typed)
		require.Error(t, err, "%q", typed)
		_, err = f.packages(typed)
		require.Error(t, err, "%q", typed)
		_, err = f.packages(typed + "/...")
		require.Error(t, err, "%q/...", typed)
	}
	for typed, want := range map[string]string{"": ".", ".": ".", "sub": "sub", "./sub/": "sub", "sub/../sub/a.txt": "sub/a.txt", "home": "home", "home/a.txt": "home/a.txt"} {
		clean, _, err := f.inside(typed)
		require.NoError(t, err, "%q", typed)
		require.Equal(t, want, clean)
	}
}

func TestFolder_Packages(t *testing.T) {
	f := tree(t, map[string]string{"sub/a.go": "package sub", "-exec/a.go": "package flag"})
	for typed, want := range map[string]string{
		"": "./...", "./...": "./...", "...": "./...", ".": ".", "sub": "./sub", "./sub": "./sub", "sub/...": "./sub/...", "home": "./home", "-exec": "./-exec",
	} {
		got, err := f.packages(typed)
		require.NoError(t, err, "%q", typed)
		require.Equal(t, want, got)
	}
	for _, typed := range []string{"net/http", "std", "/...", "../...", "s.../sub", "sub/a.go", "example.com/x@latest", "-toolexec=x"} {
		_, err := f.packages(typed)
		require.Error(t, err, "%q", typed)
	}
}

func FuzzPackages(f *testing.F) {
	dir := f.TempDir()
	require.NoError(f, os.MkdirAll(filepath.Join(dir, "work", "sub"), 0o755))
	where, err := openFolder(filepath.Join(dir, "work"))
	require.NoError(f, err)
	f.Cleanup(func() { _ = where.close() })
	for _, s := range []string{"", "./...", "sub", "sub/...", "../x", "/", "-x", "sub/../sub", "a...b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		pattern, err := where.packages(typed)
		if err != nil {
			return
		}
		dir := strings.TrimSuffix(pattern, "/...")
		if dir != "." && dir != "./sub" {
			t.Errorf("%q became %q", typed, pattern)
		}
	})
}
