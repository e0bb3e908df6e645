package bench

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	settleTime, noticeTime = 20*time.Millisecond, 20*time.Millisecond
	goleak.VerifyTestMain(m)
}
