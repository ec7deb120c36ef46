package fleet

import (
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func TestTraffic(t *testing.T) {
	told, other, now := NewTraffic(), NewTraffic(), time.Unix(1000, 0)
	told.Called(userdb.ServiceR2)
	told.Listen(other)
	told.Called(userdb.ServiceKV)
	told.Throttled(userdb.ServiceKV, now.Add(30*time.Second))
	told.Throttled(userdb.ServiceKV, now.Add(10*time.Second)) // a shorter wait does not end the longer one
	told.Throttled(userdb.ServiceWorker, now.Add(-time.Second))
	calls, throttled := told.counts()
	if calls[userdb.ServiceR2] != 1 || calls[userdb.ServiceKV] != 1 || throttled[userdb.ServiceKV] != 2 ||
		throttled[userdb.ServiceWorker] != 1 {
		t.Errorf("calls %v, throttled %v", calls, throttled)
	}
	if waits := told.waits(now); len(waits) != 1 || waits[userdb.ServiceKV] != 30*time.Second {
		t.Errorf("waits %v", waits)
	}
	if calls, throttled := other.counts(); calls[userdb.ServiceR2] != 0 || calls[userdb.ServiceKV] != 1 ||
		throttled[userdb.ServiceKV] != 2 {
		t.Errorf("the listener heard %v, %v", calls, throttled)
	}
}
