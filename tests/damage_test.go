package tests

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// newestLog is the write-ahead log that the store in dir was writing to.
func newestLog(t *testing.T, dir string) (path string) {
	t.Helper()
	var newest fs.FileInfo
	require.NoError(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(p) != ".log" {
			return err
		}
		info, err := d.Info()
		if err == nil && (newest == nil || filepath.Base(p) > newest.Name()) {
			newest, path = info, p
		}
		return err
	}))
	require.NotEmpty(t, path, "there is no log in %s", dir)
	return path
}

// logged is how many frames of 300 bytes a test's log holds: fewer than make the store begin another.
const logged = 400

// killed fills client a with frames, kills the server, and returns the log that holds them.
func (h *home) killed() (c *socket, log string) {
	h.t.Helper()
	s := h.start()
	c = s.attach("a")
	s.publishN("a", logged, 20, 300)
	c.upTo(logged)
	s.kill()
	return c, newestLog(h.t, h.dir)
}

// A write-ahead log that was altered in its middle is refused, and never cut off there: what stands behind it was confirmed.
func TestP26_AnAlteredLogIsRefused(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	_, log := h.killed()
	whole, err := os.ReadFile(log)
	require.NoError(t, err)
	length := len(whole)
	require.Greater(t, length, logged*300, "the frames are in this log")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 5 {
		at := length/4 + rnd.IntN(length/2)
		altered := bytes.Clone(whole)
		for i := range 8 {
			altered[at+i] ^= 0x55
		}
		require.NoError(t, os.WriteFile(log, altered, 0o600))
		for range 2 { // the first try has not made it look sound
			said := h.refused()
			require.Contains(t, said, h.dir, "it names the place")
			t.Logf("altered at %d of %d: %s", at, length, said)
		}
	}
	require.NoError(t, os.WriteFile(log, whole, 0o600))
	h.check()
	s := h.start()
	require.EqualValues(t, logged, s.state("a").Head, "put back as it was, it is whole")
}

// A record that was begun when the machine died was never confirmed: the store opens, with all that was.
func TestP26_ATornLastRecordIsLeftOut(t *testing.T) {
	t.Parallel()
	for name, tail := range map[string]func([]byte) []byte{
		"garbage": func([]byte) []byte { return bytes.Repeat([]byte{0xc3, 0x5a, 0x11}, 100) },
		"a header of more than follows": func([]byte) []byte {
			return append([]byte{1, 2, 3, 4, 0xff, 0x7f, 1}, bytes.Repeat([]byte{7}, 50)...)
		},
		"the first half of a record": func(log []byte) []byte {
			const header = 19
			return log[:header+int(binary.LittleEndian.Uint16(log[4:]))/2]
		},
		"nothing but zeros": func([]byte) []byte { return make([]byte, 5000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			c, log := h.killed()
			whole, err := os.ReadFile(log)
			require.NoError(t, err)
			require.Greater(t, len(whole), logged*300, "the frames are in this log")
			require.NoError(t, os.WriteFile(log, append(bytes.Clone(whole), tail(whole)...), 0o600))
			s := h.start()
			back := s.attach("a", "since", fmt.Sprintf("%s:0", c.hello.Epoch))
			require.Equal(t, protocol.ResumeReplay, back.hello.Resume, back.hello.Raw)
			require.EqualValues(t, logged, back.hello.Head)
			require.Len(t, back.upTo(logged), logged)
			back.liveOnce("a")
			back.cut()
			h.stop()
			h.check()
		})
	}
}

func TestServe_ADirectoryHasOneServer(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.start()
	c := s.attach("a")
	said := h.refused()
	require.Contains(t, said, h.dir)
	require.Contains(t, said, "use")
	t.Log(said)
	c.liveOnce("a") // and the one that has it is not disturbed
	s.kill()
	h.start()
}

func TestServe_AFolderOfOthersIsNotTaken(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	require.NoError(t, os.MkdirAll(h.dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "letter.txt"), []byte("dear"), 0o600))
	said := h.refused()
	require.Contains(t, said, h.dir)
	t.Log(said)
	left, err := os.ReadDir(h.dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing was put there")

	file := newHome(t)
	require.NoError(t, os.WriteFile(file.dir, []byte("a file"), 0o600))
	said = file.refused()
	require.Contains(t, said, file.dir)
	t.Log(said)
}
