package main

import (
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/transport"
)

// TestP25_ATokenIsGoodForItsClientAndItsTime: what the browser's tests take for granted.
func TestP25_ATokenIsGoodForItsClientAndItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(3 * time.Second)
		told, silent := d.issue("tab", true), d.issue("tab", false)
		require.Equal(t, time.Now().Add(3*time.Second).UnixMilli(), told.ExpiresAt)
		require.Zero(t, silent.ExpiresAt)
		require.NotEqual(t, told.Token, silent.Token)

		socket := httptest.NewRequest("GET", "/v1/ws?client_id=tab&token=publisher", nil)
		_, err := d.authorize(socket)
		require.Error(t, err, "a token in the URL counts for nothing")
		socket.Header.Set("Sec-WebSocket-Protocol", "restante.v1, "+silent.Token)
		g, err := d.authorize(socket)
		require.NoError(t, err)
		require.Equal(t, time.Now().Add(3*time.Second), g.Expires)
		require.True(t, g.Allows(transport.VerbRead, "tab"))
		require.False(t, g.Allows(transport.VerbRead, "other"))

		call := httptest.NewRequest("POST", "/v1/clients/tab/messages", nil)
		call.Header.Set("Authorization", "Bearer "+told.Token)
		_, err = d.authorize(call)
		require.NoError(t, err)
		time.Sleep(3 * time.Second) // of the bubble's own clock
		_, err = d.authorize(call)
		var refusal *protocol.Error
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, protocol.CodeTokenExpired, refusal.Code)
	})
}
