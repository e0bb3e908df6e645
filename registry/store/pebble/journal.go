package pebble

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"strconv"
	"strings"

	crdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
)

// The library takes the first thing in its newest log, or in its MANIFEST, that it cannot read for the end of the file. A bit that has flipped
// in the middle would so cut off all behind it, without a word. So we read both before the library does, and look behind that end. In the log
// each group says how far the groups before it were synced when it was written: what is behind the end and says that more was synced than what
// is before it shows that the file has been altered since. A record that was being written when the power was cut shows nothing of the kind.
// Each record of the MANIFEST is synced before the next is written, so that there any record behind the end shows it.

// A journal is a sequence of blocks, and a block one of chunks, with zeros behind the last one where no other fits. A chunk is a checksum(4),
// a length(2), its encoding(1), in a log the log's number(4) and a synced offset(8), and a part of a record.
const (
	blockBytes   = 32 << 10
	shortHeader  = 7
	numberHeader = 11
	longHeader   = 19
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunk is one that has been read, and where it ends in its block.
type chunk struct {
	data        []byte
	first, last bool
	end         int
}

// chunkAt reads the chunk at pos of a block; ok is false if none is there. log is the number of the file's chunks, nil for a MANIFEST.
func chunkAt(block []byte, pos int, log *uint32) (c chunk, ok bool) {
	b := block[pos:]
	if len(b) < shortHeader || b[6] == 0 || b[6] > 12 {
		return c, false
	}
	kind, header := (b[6]-1)%4, [...]int{shortHeader, numberHeader, longHeader}[(b[6]-1)/4]
	size := int(binary.LittleEndian.Uint16(b[4:]))
	if len(b) < header+size || (header == shortHeader) != (log == nil) {
		return c, false
	}
	if log != nil && binary.LittleEndian.Uint32(b[shortHeader:]) != *log {
		return c, false
	}
	sum := crc32.Checksum(b[6:header+size], castagnoli)
	if binary.LittleEndian.Uint32(b) != (sum>>15|sum<<17)+0xa282ead8 {
		return c, false
	}
	return chunk{data: b[header : header+size], first: kind < 2, last: kind == 0 || kind == 3, end: pos + header + size}, true
}

// records calls f with each whole record of a journal. broken says that there was something before it that cannot be read.
func records(r io.Reader, log *uint32, f func(record []byte, broken bool) error) error {
	block := make([]byte, blockBytes)
	var record []byte
	broken, inside := false, false
	for {
		n, err := io.ReadFull(r, block)
		if n == 0 && errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		for pos := 0; pos < n; {
			c, ok := chunkAt(block[:n], pos, log)
			if !ok {
				rest := block[pos:n]
				if len(rest) < longHeader && len(bytes.Trim(rest, "\x00")) == 0 {
					break
				}
				broken, inside = true, false
				pos++
				continue
			}
			pos = c.end
			switch {
			case c.first:
				record, inside = append(record[:0], c.data...), true
			case inside:
				record = append(record, c.data...)
			}
			if inside && c.last {
				inside = false
				if err := f(record, broken); err != nil {
					return err
				}
			}
		}
	}
}

// altered is a journal that has been changed since it was written.
type altered struct{ file string }

func (a altered) Error() string {
	return "a part in the middle of " + a.file + " cannot be read, and what follows it can"
}

// checkLog looks behind the end of a log for groups that say that more was synced.
func checkLog(r io.Reader, file string, log uint32) error {
	var last uint64 // the last group before what cannot be read
	known := false
	return records(r, &log, func(record []byte, broken bool) error {
		t, ok := groupOf(record)
		switch {
		case !ok:
		case !broken:
			last, known = t.group, true
		case !known: // the beginning cannot be read: what was there is older than this group
			last, known = max(t.group, 2)-2, true
			fallthrough
		default:
			if t.synced > last {
				return altered{file}
			}
		}
		return nil
	})
}

// checkManifest looks behind the end of a MANIFEST for any record.
func checkManifest(r io.Reader, file string) error {
	return records(r, nil, func(_ []byte, broken bool) error {
		if broken {
			return altered{file}
		}
		return nil
	})
}

// groupOf reads what a group says of itself, which is the last thing in its record.
func groupOf(record []byte) (t sums, ok bool) {
	defer func() {
		if recover() != nil { // the library's reader of batches does not look where it steps
			ok = false
		}
	}()
	batch := batchrepr.Read(record)
	for {
		kind, key, value, more, err := batch.Next()
		if err != nil || !more {
			return t, ok
		}
		if kind == crdb.InternalKeyKindSet && bytes.Equal(key, keyTotals) {
			t, err = parseTotals(value)
			ok = err == nil
		}
	}
}

// checkJournals reads the newest log and the MANIFEST that is in force.
func (d directory) checkJournals() error {
	desc, err := crdb.Peek(d.path, d.fs)
	if err != nil {
		return err
	}
	if !desc.Exists {
		return errors.New("the file that names the MANIFEST is missing")
	}
	if err := d.checkJournal(d.fs.PathBase(desc.ManifestFilename), checkManifest); err != nil {
		return err
	}
	names, err := d.fs.List(d.path)
	if err != nil {
		return err
	}
	newest, number := "", uint64(0)
	for _, name := range names {
		stem, isLog := strings.CutSuffix(name, ".log")
		if n, err := strconv.ParseUint(stem, 10, 64); isLog && err == nil && n >= number {
			newest, number = name, n
		}
	}
	if newest == "" { // a start broke off that had all in tables already
		return nil
	}
	return d.checkJournal(newest, func(r io.Reader, file string) error { return checkLog(r, file, uint32(number)) })
}

func (d directory) checkJournal(name string, check func(r io.Reader, file string) error) (err error) {
	f, err := d.fs.Open(d.join(name))
	if err != nil {
		return fmt.Errorf("%s: %w", path.Base(name), plain(err))
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return check(f, name)
}
