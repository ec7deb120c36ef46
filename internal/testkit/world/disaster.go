package world

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// errSetBack is an object's answer when the file shows that the object's storage was set back.
var errSetBack = errors.New("the file's mark is newer than the object's claim")

// DeleteFile deletes the file of a user with an object that serves, as a clean-up job or a lifecycle rule
// may. It says whether it did.
func (w *World) DeleteFile(u userdb.UserID) bool {
	deleted, _ := with(w.Objects, u, func(o *object) (bool, error) {
		w.Bucket.mu.Lock()
		defer w.Bucket.mu.Unlock()
		key := w.Layout.Key(u)
		file, exists := w.Bucket.objects[key]
		if !exists || o.phase() != userdb.Active {
			return false, nil
		}
		mark, err := markOf(&file)
		if err != nil || mark.Kind != userdb.FenceMark || mark.Lin != o.state.Lin {
			return false, nil
		}
		delete(w.Bucket.objects, key)
		return true, nil
	})
	return deleted
}

// Serves says whether a side takes the user's writes at this moment: an object that is ACTIVE, or a file
// without fence. The next request ends a birth that was cut off, and is served.
func (w *World) Serves(u userdb.UserID) bool {
	served, _ := with(w.Objects, u, func(o *object) (bool, error) {
		file, err := w.Bucket.read("get", w.Layout.Key(u), "")
		if err != nil {
			return o.phase() == userdb.Active || holdsNothing(o.phase()) || o.endsBirth(nil), nil
		}
		mark, err := markOf(&file)
		return err == nil && (mark.Kind != userdb.FenceMark || o.phase() == userdb.Active || o.endsBirth(&file)), nil
	})
	return served
}

// Snapshot is an object's storage at one moment.
type Snapshot struct {
	object object
	body   []byte
}

// Snapshot takes one of an object that serves; nil of any other.
func (o *Objects) Snapshot(u userdb.UserID) *Snapshot {
	s, _ := with(o, u, func(o *object) (*Snapshot, error) {
		if o.phase() != userdb.Active {
			return nil, nil
		}
		body, err := os.ReadFile(o.content.path)
		if err != nil {
			return nil, err
		}
		return &Snapshot{
			body: body,
			object: object{
				world:        o.world,
				state:        o.state,
				last:         o.last,
				writes:       o.writes,
				atActivation: o.atActivation,
				opened:       o.opened,
				receipt:      o.receipt,
				content:      &content{sent: o.content.sent, seen: o.content.seen},
			},
		}, nil
	})
	return s
}

// SetBack restores a snapshot over an object that was released since, as point-in-time recovery may. It says
// whether it did: what an object holds that was not released is not thrown away.
func (o *Objects) SetBack(u userdb.UserID, s *Snapshot) bool {
	done, _ := with(o, u, func(o *object) (bool, error) {
		file, err := o.world.Bucket.read("get", o.world.Layout.Key(u), "")
		mark, markErr := markOf(&file)
		if err != nil || markErr != nil || o.phase() != userdb.Empty || mark.Kind == userdb.FenceMark ||
			mark.Stamp.Claim() <= s.object.state.Lin.Claim() {
			return false, nil
		}
		path := o.world.path("object")
		if err := os.WriteFile(path, s.body, 0o600); err != nil {
			return false, err
		}
		o.state, o.last, o.writes, o.atActivation, o.receipt = s.object.state, s.object.last, s.object.writes, s.object.atActivation, s.object.receipt
		o.opened = s.object.opened
		o.content = &content{path: path, sent: s.object.content.sent, seen: s.object.content.seen}
		o.wasSetBack = true
		return true, nil
	})
	return done
}

// KeptFile is a user's file at one moment.
type KeptFile struct{ file stored }

// KeepFile takes a copy of the user's file; nil where there is none.
func (w *World) KeepFile(u userdb.UserID) *KeptFile {
	file, err := w.Bucket.read("get", w.Layout.Key(u), "")
	if err != nil {
		return nil
	}
	return &KeptFile{file}
}

// SetFileBack puts the copy in place of the file while the object serves, as somebody may who sets a bucket
// back. It says whether it did.
func (w *World) SetFileBack(u userdb.UserID, kept *KeptFile) bool {
	done, _ := with(w.Objects, u, func(o *object) (bool, error) {
		w.Bucket.mu.Lock()
		defer w.Bucket.mu.Unlock()
		key := w.Layout.Key(u)
		if o.phase() != userdb.Active || w.Bucket.objects[key].ETag == kept.file.ETag {
			return false, nil
		}
		restored := kept.file
		restored.LastModified = time.Now().Truncate(time.Second)
		w.Bucket.objects[key] = restored
		return true, nil
	})
	return done
}

// OnBoth runs a query on a copy of what each side holds, whether it serves or not.
func (w *World) OnBoth(u userdb.UserID, run func(*sql.Conn) error) error {
	on := func(body []byte) error {
		return w.withScratch("both", func(path string) error {
			if err := os.WriteFile(path, body, 0o600); err != nil {
				return err
			}
			_, err := query(context.Background(), path, run)
			return err
		})
	}
	_, err := with(w.Objects, u, func(o *object) (struct{}, error) {
		if o.content == nil || o.content.sent == nil || o.content.builder != nil {
			return struct{}{}, nil
		}
		body, err := os.ReadFile(o.content.path)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, on(body)
	})
	kept := w.KeepFile(u)
	if err != nil || kept == nil || userdb.Classify(kept.file.body) != userdb.SQLiteFile {
		return err
	}
	plain, err := userdb.WithoutMark(kept.file.body)
	if err != nil {
		return err
	}
	return on(append(plain[:userdb.HeaderBytes:userdb.HeaderBytes], kept.file.body[userdb.HeaderBytes:]...))
}

// isBehind is what an object that wakes up finds in the file's mark. Only one with a storage that was set
// back has a reason to look, since time does not wake objects here.
func (o *object) isBehind(u userdb.UserID) bool {
	if !o.wasSetBack || o.phase() != userdb.Active {
		return false
	}
	file, err := o.world.Bucket.read("get", o.world.Layout.Key(u), "")
	if err != nil {
		return false
	}
	mark, err := markOf(&file)
	if err != nil {
		return false
	}
	if mark.Kind == userdb.FenceMark {
		return mark.Non.Claim() > o.state.Gen || mark.Lin > o.state.Lin
	}
	return max(mark.Stamp, userdb.MetadataStamp(file.Metadata)).Claim() >= o.state.Lin.Claim()
}
