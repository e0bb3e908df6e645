package protocol_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP1_CheckStored(t *testing.T) {
	for _, good := range []string{`{"type":"a"}`, `{"from":"b","type":"a","x":[1,2]}`, `{"from":"a\"b","type":"a"}`} {
		require.NoError(t, protocol.CheckStored(protocol.Body(good)), good)
	}
	for _, bad := range []string{
		``, `{}`, `{ "type":"a"}`, `{"type":"a"}x`, `{"from":1,"type":"a"}`, `{"from":"b"}`, `{"from":"b" ,"type":"a"}`, `{"from":"b","from":"c","type":"a"}`,
		`{"type":"a","from":"b"}`, `{"seq":1,"type":"a"}`, `{"from":"b`,
	} {
		require.Error(t, protocol.CheckStored(protocol.Body(bad)), bad)
	}
}
