package migrate

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// sickFiles fails the HEADs of some of the objects.
type sickFiles struct {
	memoryFiles
	sick  func(userdb.ObjectKey) bool
	heads *atomic.Int64
}

func (f sickFiles) Head(ctx context.Context, key userdb.ObjectKey) (userdb.Object, error) {
	f.heads.Add(1)
	if f.sick(key) {
		return userdb.Object{}, &userdb.Error{
			Op:    "head",
			Thing: string(key),
			Kind:  userdb.ProtocolError,
			Err:   errors.New("answer 400"),
		}
	}
	f.memory.mu.Lock()
	defer f.memory.mu.Unlock()
	return f.objects[key], nil
}

// TestSickObjects: some objects that cannot be read are found as such among all others; where most fail, the
// command stops soon.
func TestSickObjects(t *testing.T) {
	const n = 1000
	for name, c := range map[string]struct {
		every int // each of these is sick
		stops bool
	}{
		"one":  {n, false},
		"some": {4, false}, // with 32 looks under way, the 16th sick one comes behind at least 17 others
		"all":  {1, true},
	} {
		t.Run(name, func(t *testing.T) {
			m, heads, number := newMemory(), atomic.Int64{}, map[userdb.ObjectKey]int{}
			var names []userdb.UserID
			for i := range n {
				u := userdb.UserID(fmt.Sprintf("user-%04d", i))
				names = append(names, u)
				m.put(userdb.ObjectKey(u+"/database.sqlite"), header(), time.Now())
				number[userdb.ObjectKey(u+"/database.sqlite")] = i
			}
			e := m.engine(t)
			e.Files = sickFiles{
				memoryFiles{nil, m},
				func(key userdb.ObjectKey) bool { return number[key]%c.every == c.every-1 },
				&heads,
			}
			for way, find := range map[string]func() ([]inspect.Found, error){
				"scan": func() ([]inspect.Found, error) {
					return e.Inspect().Scan(t.Context(), inspect.ScanOptions{Marks: true})
				},
				"look up": func() ([]inspect.Found, error) { return e.Inspect().LookUp(t.Context(), names) },
			} {
				heads.Store(0)
				found, err := find()
				if c.stops {
					if userdb.KindOf(err) != userdb.ProtocolError || heads.Load() > 16+2*32 {
						t.Errorf("%s: stopped with %v after %d HEADs", way, err, heads.Load())
					}
					continue
				}
				unreadable := 0
				for _, f := range found {
					if f.Place == inspect.PlaceUnreadable && f.Err != nil {
						unreadable++
					}
				}
				if err != nil || len(found) != n || unreadable != n/c.every {
					t.Errorf("%s: %d found, %d of them unreadable: %v", way, len(found), unreadable, err)
				}
			}
		})
	}
}
