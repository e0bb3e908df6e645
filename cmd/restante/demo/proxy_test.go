package demo

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wire is a server behind a proxy, and both ends of the connection that goes through it.
type wire struct {
	t              *testing.T
	proxy          *Proxy
	ln             net.Listener
	client, server net.Conn
}

func newWire(t *testing.T) *wire {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	p, err := NewProxy(ln.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	w := &wire{t: t, proxy: p, ln: ln}
	w.client, err = net.Dial("tcp", p.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { w.client.Close() })
	w.server, err = ln.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { w.server.Close() })
	for _, c := range []net.Conn{w.client, w.server} {
		require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	}
	w.passes(w.client, w.server, "hi")
	w.passes(w.server, w.client, "hello")
	return w
}

func (w *wire) passes(from, to net.Conn, text string) {
	w.t.Helper()
	_, err := io.WriteString(from, text)
	require.NoError(w.t, err)
	b := make([]byte, len(text))
	_, err = io.ReadFull(to, b)
	require.NoError(w.t, err)
	require.Equal(w.t, text, string(b))
}

func (w *wire) isReset(c net.Conn) {
	w.t.Helper()
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(w.t, err, syscall.ECONNRESET)
}

// leftHanging waits until the proxy has a connection that it leaves hanging: whoever dials is told earlier, by the system.
func (w *wire) leftHanging() {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		w.proxy.mu.Lock()
		defer w.proxy.mu.Unlock()
		return len(w.proxy.hung) == 1
	}, 20*time.Second, time.Millisecond)
}

func TestProxy_CutResetsBothSides(t *testing.T) {
	w := newWire(t)
	require.Equal(t, 1, w.proxy.Cut())
	w.isReset(w.client)
	w.isReset(w.server)
	require.Zero(t, w.proxy.Cut(), "what is cut is not cut again")
	require.Equal(t, 1, w.proxy.Cuts())
}

func TestProxy_CutInFrameKeepsBackTheEnd(t *testing.T) {
	w := newWire(t)
	w.proxy.CutInFrame(3)
	w.passes(w.client, w.server, "the other way is not meant")
	_, err := io.WriteString(w.server, "0123456789")
	require.NoError(t, err)
	b, err := io.ReadAll(w.client)
	require.NoError(t, err)
	require.Equal(t, "0123456", string(b))
	require.Equal(t, 1, w.proxy.Cuts())
}

func TestProxy_HalfCloseLeavesTheOtherWay(t *testing.T) {
	t.Run("to the client", func(t *testing.T) {
		w := newWire(t)
		require.Equal(t, 1, w.proxy.HalfClose(ToClient))
		_, err := w.client.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		w.passes(w.client, w.server, "still heard")
		w.proxy.Finish()
		w.isReset(w.server)
		require.Equal(t, 1, w.proxy.Cuts(), "one connection, one cut")
	})
	t.Run("to the server", func(t *testing.T) {
		w := newWire(t)
		require.Equal(t, 1, w.proxy.HalfClose(ToServer))
		_, err := w.server.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		w.passes(w.server, w.client, "still heard")
	})
}

func TestProxy_FinishSparesWhatIsWhole(t *testing.T) {
	w := newWire(t)
	w.proxy.Finish()
	w.passes(w.server, w.client, "whole")
}

func TestProxy_StallHoldsBackAndLetsGo(t *testing.T) {
	w := newWire(t)
	w.proxy.Stall(true)
	_, err := io.WriteString(w.server, "held")
	require.NoError(t, err)
	require.NoError(t, w.client.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	_, err = w.client.Read(make([]byte, 1))
	require.True(t, errors.Is(err, os.ErrDeadlineExceeded), "%v", err)
	require.NoError(t, w.client.SetReadDeadline(time.Now().Add(20*time.Second)))
	w.proxy.Stall(false)
	b := make([]byte, 4)
	_, err = io.ReadFull(w.client, b)
	require.NoError(t, err)
	require.Equal(t, "held", string(b))

	w.proxy.Stall(true)
	_, err = io.WriteString(w.server, "lost")
	require.NoError(t, err)
	w.proxy.Cut()
	w.isReset(w.client)
}

func TestProxy_AStallHoldsBackTheEndToo(t *testing.T) {
	w := newWire(t)
	w.proxy.Stall(true)
	require.NoError(t, w.client.(*net.TCPConn).CloseWrite())
	require.NoError(t, w.server.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	_, err := w.server.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, w.server.SetReadDeadline(time.Now().Add(20*time.Second)))
	w.proxy.Stall(false)
	_, err = w.server.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func TestProxy_InATunnelNothingPassesAndNothingConnects(t *testing.T) {
	w := newWire(t)
	w.proxy.Blackhole(true)
	w.proxy.Retarget("") // the server may go and come back meanwhile: nobody is told
	hung, err := net.Dial("tcp", w.proxy.Addr())
	require.NoError(t, err)
	defer hung.Close()
	w.proxy.Retarget(w.server.LocalAddr().String())
	w.leftHanging()
	for _, c := range []net.Conn{w.client, hung} {
		_, err = io.WriteString(c, "anybody there?")
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
	}
	require.Equal(t, 1, w.proxy.Connections())
	w.proxy.Blackhole(false)
	w.isReset(w.client)
	w.isReset(hung)
	w.isReset(w.server)
	require.Equal(t, 2, w.proxy.Cuts())
	again, err := net.Dial("tcp", w.proxy.Addr())
	require.NoError(t, err)
	defer again.Close()
	s, err := w.ln.Accept()
	require.NoError(t, err)
	defer s.Close()
	w.passes(again, s, "out of it")
	w.proxy.Blackhole(false)
	w.passes(s, again, "and it stays so")
}

func TestProxy_IsClosedInATunnel(t *testing.T) {
	w := newWire(t)
	w.proxy.Blackhole(true)
	hung, err := net.Dial("tcp", w.proxy.Addr())
	require.NoError(t, err)
	defer hung.Close()
	w.leftHanging()
	require.NoError(t, w.proxy.Close())
	w.isReset(hung)
}

func TestProxy_RefusesAndLetsInAgain(t *testing.T) {
	w := newWire(t)
	w.proxy.Refuse(true)
	w.passes(w.server, w.client, "what is there stays")
	c, err := net.Dial("tcp", w.proxy.Addr())
	if err == nil { // the reset may come before or after the dial has returned
		w.isReset(c)
		require.NoError(t, c.Close())
	}
	w.proxy.Refuse(false)
	c, err = net.Dial("tcp", w.proxy.Addr())
	require.NoError(t, err)
	_, err = io.WriteString(c, "x")
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func TestProxy_PassesAnOrderlyEnd(t *testing.T) {
	w := newWire(t)
	require.NoError(t, w.client.(*net.TCPConn).CloseWrite())
	_, err := w.server.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	w.passes(w.server, w.client, "the last word")
	require.NoError(t, w.server.Close())
	_, err = w.client.Read(make([]byte, 1))
	require.Error(t, err)
	require.Zero(t, w.proxy.Cuts(), "the proxy has broken nothing")
}

func TestProxy_RetargetsWhatComesAfter(t *testing.T) {
	w := newWire(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	w.proxy.Retarget("")
	c, err := net.Dial("tcp", w.proxy.Addr())
	if err == nil {
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
		w.isReset(c)
	} else { // the reset was there before the dial had returned
		require.ErrorIs(t, err, syscall.ECONNRESET)
	}
	w.passes(w.client, w.server, "what there is stays where it is")

	w.proxy.Retarget(ln.Addr().String())
	c, err = net.Dial("tcp", w.proxy.Addr())
	require.NoError(t, err)
	defer c.Close()
	s, err := ln.Accept()
	require.NoError(t, err)
	defer s.Close()
	w.passes(c, s, "to the other")
	w.passes(w.server, w.client, "and still to the first")
	require.Zero(t, w.proxy.Cuts())
}

func TestProxy_MethodsFromEverywhere(t *testing.T) {
	w := newWire(t)
	var all sync.WaitGroup
	for _, f := range []func(){
		func() { w.proxy.Cut() }, func() { w.proxy.CutInFrame(1) }, func() { w.proxy.HalfClose(ToClient) },
		func() { w.proxy.Stall(true) }, func() { w.proxy.Stall(false) }, func() { w.proxy.Refuse(true) },
		func() { w.proxy.Finish() }, func() { w.proxy.Connections() }, func() { w.proxy.Cuts() }, func() { w.proxy.Retarget("127.0.0.1:1") },
		func() { w.proxy.Blackhole(true) }, func() { w.proxy.Blackhole(false) },
	} {
		all.Go(f)
	}
	all.Wait()
	require.Equal(t, 1, w.proxy.Cuts())
}
