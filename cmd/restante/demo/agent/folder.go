package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// folder is where the agent works, and all that it can see: paths are opened below it, and one that leads out of it, by dots, as an absolute one, or through a
// symbolic link, is refused.
type folder struct {
	path string // absolute, without symbolic links
	root *os.Root
}

// openFolder opens dir; its owner closes it.
func openFolder(dir string) (*folder, error) {
	full, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if full, err = filepath.EvalSymlinks(full); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(full)
	if err != nil {
		return nil, err
	}
	return &folder{path: full, root: root}, nil
}

func (f *folder) close() error { return f.root.Close() }

// name is what people call the folder.
func (f *folder) name() string { return filepath.Base(f.path) }

// inside returns the clean path, with slashes, of something that is there; typed "" is the folder itself. The error is a sentence for whoever typed it.
func (f *folder) inside(typed string) (string, fs.FileInfo, error) {
	if typed == "" {
		typed = "."
	}
	clean := path.Clean(filepath.ToSlash(typed))
	if strings.HasPrefix(typed, "/") || filepath.IsAbs(typed) || !filepath.IsLocal(filepath.FromSlash(clean)) {
		return "", nil, fmt.Errorf("%s is outside of the folder that I work in. Name something inside %s, as seen from there", quoted(typed), f.name())
	}
	info, err := f.root.Stat(filepath.FromSlash(clean))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil, fmt.Errorf("there is no %s in %s", quoted(typed), f.name())
	case errors.Is(err, fs.ErrPermission):
		return "", nil, fmt.Errorf("%s may not be looked at", quoted(typed))
	case err != nil:
		return "", nil, fmt.Errorf("%s cannot be opened, or leads out of the folder that I work in", quoted(typed))
	}
	return clean, info, nil
}

// packages returns the pattern for the go command that typed stands for: a folder inside, with or without "/..." at its end; "" is all of them. It begins with
// a dot, so that it is neither a flag nor a package of somewhere else.
func (f *folder) packages(typed string) (string, error) {
	if typed == "" || typed == "..." {
		typed = "./..."
	}
	dir, deep := strings.CutSuffix(filepath.ToSlash(typed), "/...")
	if strings.Contains(dir, "...") {
		return "", fmt.Errorf("%s is more than one place. Name one folder, with /... behind it for all below it too", quoted(typed))
	}
	if dir == "" { // "/..." is everything there is
		dir = "/"
	}
	clean, info, err := f.inside(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is a file. A package is a folder", quoted(typed))
	}
	pattern := "."
	if clean != "." {
		pattern = "./" + clean
	}
	if deep {
		pattern += "/..."
	}
	return pattern, nil
}
