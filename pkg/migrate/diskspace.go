package migrate

import (
	"fmt"
	"sync"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

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

// fitsAnywhere is a need that a disk with any room to work in has room for.
const fitsAnywhere = 64 << 20

// endOnDisk is noSpace at the end of a user's command. It stops the run where every other user would meet the
// same: a user who is larger than what is left says nothing of the others.
func (e *Engine) endOnDisk(r *result.Result, err error) error {
	r.StopsRun = r.StopsRun || userfile.IsOtherBucket(err)
	if !userfile.IsNoSpace(err) {
		return err
	}
	folder := userfile.FolderOf(err)
	if dir, dirErr := e.source().ScratchDir(); folder == "" && dirErr == nil {
		folder = dir
	}
	free, freeErr := e.free(folder)
	r.StopsRun = r.StopsRun || freeErr == nil && free < fitsAnywhere
	return e.source().NoSpace(err)
}

// free is how many bytes a file in the folder may still take.
func (e *Engine) free(dir string) (int64, error) {
	if e.freeOn != nil {
		return e.freeOn(dir)
	}
	return freeOn(dir)
}
