package bench

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

func TestOrder(t *testing.T) {
	for _, x := range []struct {
		numbers []uint64
		want    []verdict
	}{
		{[]uint64{1, 2, 3}, []verdict{next, next, next}},
		{[]uint64{1, 1, 2}, []verdict{next, repeated, next}},
		{[]uint64{1, 4, 3, 3, 2, 5}, []verdict{next, early, belated, repeated, belated, next}},
		{[]uint64{6, 3, 1, 2, 5, 4, 4}, []verdict{early, belated, belated, belated, belated, belated, repeated}},
	} {
		var o order
		for i, n := range x.numbers {
			require.Equal(t, x.want[i], o.see(n), "%v at %d", x.numbers, i)
		}
	}
}

func TestStampOf(t *testing.T) {
	frame := frameOf(42, 123456789)
	require.Len(t, frame, Frame)
	for _, in := range [][]byte{frame, append([]byte(`{"seq":7,`), frame[1:]...), append(append([]byte(`{"data":`), frame...), '}')} {
		number, due, err := stampOf(in)
		require.NoError(t, err)
		require.EqualValues(t, 42, number)
		require.EqualValues(t, 123456789, due)
	}
	for _, in := range [][]byte{nil, []byte(`{}`), frame[:len(frame)-1], bytes.Replace(frame, []byte("xx"), nil, 1), frameOf(0, 1), bytes.Replace(frame, []byte(`"k":"0`), []byte(`"k":"-`), 1)} {
		_, _, err := stampOf(in)
		require.ErrorIs(t, err, errChanged)
	}
}

func FuzzStampOf(f *testing.F) {
	f.Add(frameOf(1, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		if number, due, err := stampOf(b); err == nil && !bytes.Contains(b, frameOf(number, due)[frameHead:60]) {
			t.Fatalf("%q does not hold %d at %d", b, number, due)
		}
	})
}

func FuzzCutFrame(f *testing.F) {
	for _, n := range []int{0, 125, 126, 1 << 16} {
		f.Add(ws.MustCompileFrame(ws.NewTextFrame(make([]byte, n))))
	}
	f.Add([]byte{0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, size, err := cutFrame(b)
		if err != nil || size == 0 || size > len(b) {
			return
		}
		want, wantErr := ws.ReadHeader(bytes.NewReader(b))
		if wantErr != nil || want.Length != int64(len(frame.payload)) || want.OpCode != frame.op || want.Fin != frame.fin || size < ws.HeaderSize(want)+len(frame.payload) {
			t.Fatalf("%x: %+v of %d bytes; gobwas/ws has %+v %v", b, frame, size, want, wantErr)
		}
	})
}

func FuzzCutAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP"))
	f.Add([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		status, size, err := cutAnswer(b)
		if err == nil && (size < 0 || size > len(b) || size > 0 && status < 200) {
			t.Fatalf("%q: %d, %d bytes", b, status, size)
		}
		if again, n, _ := cutAnswer(b[:max(size, 0)]); size > 0 && (again != status || n != size) {
			t.Fatalf("%q is whole, and not by itself", b)
		}
	})
}

func FuzzCutUpgraded(f *testing.F) {
	f.Add([]byte("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n\x81\x00"), "x")
	f.Fuzz(func(t *testing.T, b []byte, accept string) {
		if size, err := cutUpgraded(b, accept); size < 0 || size > len(b) || err != nil && size != 0 {
			t.Fatalf("%q: %d %v", b, size, err)
		}
	})
}

func TestMaskedMessagesAreReadBack(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte("a"), n)
		f, err := readFrame(bytes.NewReader(AppendText(nil, payload)))
		require.NoError(t, err)
		require.True(t, f.Header.Masked)
		require.Equal(t, payload, append([]byte{}, ws.UnmaskFrame(f).Payload...))
	}
}

func TestWhatAServerMayNotSend(t *testing.T) {
	masked := AppendText(nil, []byte("x"))
	long := binary.BigEndian.AppendUint64([]byte{0x82, 127}, maxIncoming+1)
	for _, b := range [][]byte{masked, long, {0xc1, 0}, {0x09, 0}, {0x89, 126}} {
		_, _, err := cutFrame(b)
		require.Error(t, err, "%x", b)
	}
}
