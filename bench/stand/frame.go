package stand

import "bytes"

// What a frame is made of: k is its number, t the moment it was due at, p what fills it up.
const (
	frameHead = `{"type":"b","k":"0000000000","t":"0000000000000000000","p":"`
	frameTail = `"}`
	kAt, kLen = len(`{"type":"b","k":"`), 10
	tAt, tLen = kAt + kLen + len(`","t":"`), 19

	// minFrame is the shortest frame, maxFrame the longest that may be asked for.
	minFrame = len(frameHead) + len(frameTail)
	maxFrame = 64 << 10
)

// frame is a buffer that each frame is made in anew, by changing its digits.
type frame []byte

func newFrame(length int) frame {
	f := append(frame(nil), frameHead...)
	f = append(f, bytes.Repeat([]byte{'x'}, length-minFrame)...)
	return append(f, frameTail...)
}

// stamp makes f the frame of number k that is due at t, which is not negative. What was stamped before is gone.
func (f frame) stamp(k uint32, t int64) []byte {
	digits(f[kAt:kAt+kLen], uint64(k))
	digits(f[tAt:tAt+tLen], uint64(t))
	return f
}

// digits fills b with n, zeros in front.
func digits(b []byte, n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// names are the ids of the clients of one job, one after the other in one string: they all have the same length.
type names struct {
	all   string
	width int
}

const idDigits = 6

func newNames(prefix string, n int) names {
	width := len(prefix) + idDigits
	all := make([]byte, 0, n*width)
	for i := range n {
		all = appendID(all, prefix, i)
	}
	return names{string(all), width}
}

func (n names) id(i int) string { return n.all[i*n.width : (i+1)*n.width] }

// appendID appends the id of the index-th client of a prefix.
func appendID(b []byte, prefix string, index int) []byte {
	b = append(b, prefix...)
	b = append(b, "000000"...)
	digits(b[len(b)-idDigits:], uint64(index))
	return b
}
