package agent

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
)

// listedEntries is how much of a folder is listed.
const listedEntries = 300

// list writes what is in a folder, or about one file, and returns how many folders and files there are.
func (f *folder) list(ctx context.Context, out io.Writer, typed string) (folders, files int, err error) {
	clean, info, err := f.inside(typed)
	if err != nil {
		return 0, 0, err
	}
	if !info.IsDir() {
		return 0, 1, listed(out, info, path.Base(clean))
	}
	entries, err := fs.ReadDir(f.root.FS(), clean)
	if err != nil {
		return 0, 0, fmt.Errorf("%s cannot be read", quoted(clean))
	}
	for i, e := range entries {
		if ctx.Err() != nil {
			return folders, files, ctx.Err()
		}
		if e.IsDir() {
			folders++
		} else {
			files++
		}
		if i == listedEntries {
			if _, err := fmt.Fprintf(out, "… and %d more\n", len(entries)-i); err != nil {
				return folders, files, err
			}
		}
		if i >= listedEntries {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // it has gone meanwhile
		}
		if err := listed(out, info, e.Name()); err != nil {
			return folders, files, err
		}
	}
	return folders, files, nil
}

// listed writes one line.
func listed(out io.Writer, info fs.FileInfo, name string) error {
	size := bytesWords(info.Size())
	switch {
	case info.IsDir():
		name, size = name+"/", "-"
	case info.Mode()&fs.ModeSymlink != 0:
		name, size = name+"@", "-"
	}
	_, err := fmt.Fprintf(out, "%s  %8s  %s\n", info.ModTime().Format("2006-01-02 15:04"), size, name)
	return err
}

// bytesWords is n for people.
func bytesWords(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, 0
	for v >= 1023.95 && unit < 4 {
		v /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTP"[unit])
}
