package migrate

import (
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const hintDisk = "free some space, or set TMPDIR to a folder on a larger disk"

// diskSpace is what users in flight may still write on the operator's disk. A user who needs more than is
// left waits, still served, until others have ended; one who needs more than there is without them is
// refused.
type diskSpace struct {
	mu       sync.Mutex
	ended    *sync.Cond
	reserved int64
}

// reserve takes the bytes until release is called. free is asked again each time.
func (d *diskSpace) reserve(need int64, free func() (int64, error)) (release func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended == nil {
		d.ended = sync.NewCond(&d.mu)
	}
	for {
		there, err := free()
		if err != nil {
			return nil, err
		}
		if need <= there-d.reserved {
			break
		}
		if d.reserved == 0 {
			return nil, &userdb.Error{
				Op:   "make room",
				Kind: userdb.NoSpace,
				Err:  fmt.Errorf("%d bytes are needed, and %d are free", need, there),
				Hint: hintDisk,
			}
		}
		d.ended.Wait()
	}
	d.reserved += need
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.reserved -= need
		d.ended.Broadcast()
	}, nil
}

// noSpace gives a full disk its kind: it is the operator's, and every other user would meet it.
func noSpace(err error) error {
	if userdb.KindOf(err) == userdb.NoSpace || !errors.Is(err, syscall.ENOSPC) && !capi.IsNoRoom(err) {
		return err
	}
	return &userdb.Error{Op: "write to this machine's disk", Kind: userdb.NoSpace, Err: err, Hint: hintDisk}
}
