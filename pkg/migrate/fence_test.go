package migrate

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// workerMarks is a Worker that replaces the file by itself under the fence, on the same conditions as the
// real one; then it answers with err.
type workerMarks struct {
	*memory
	works bool
	err   error
	asked int
}

func (w *workerMarks) Mark(_ context.Context, u userdb.UserID, req wire.MarkRequest) (userdb.ETag, error) {
	w.asked++
	key := userdb.ObjectKey(u + "/database.sqlite")
	old := w.objects[key]
	if w.works && string(old.ETag) == req.ETag && old.LastModified.Unix() == req.Modified {
		content := append(bytes.Clone(req.Head), w.content[key][userdb.HeaderBytes:]...)
		if sum := md5.Sum(content); hex.EncodeToString(sum[:]) != req.MD5 {
			return "", errors.New("the MD5 is not that of the file under the fence")
		}
		w.put(key, content, time.Now())
		w.objects[key] = userdb.Object{
			Key:          key,
			Size:         old.Size,
			ETag:         userdb.ETag(req.MD5),
			LastModified: time.Now(),
			Metadata:     req.Metadata,
		}
	}
	return w.objects[key].ETag, w.err
}

func (w *workerMarks) Fence(context.Context, userdb.UserID, wire.FenceRequest) (wire.Fenced, error) {
	return wire.Fenced{}, errors.New("no test asks for it")
}

func (w *workerMarks) Names(context.Context, userdb.UserID) (wire.FileSeen, error) {
	return wire.FileSeen{}, nil
}

func TestFenceThroughTheWorker(t *testing.T) {
	remote := func(kind userdb.Kind, wireKind string) error {
		return &userdb.Error{Op: "mark", Kind: kind, Err: &wire.RemoteError{Kind: wireKind}}
	}
	for name, c := range map[string]struct {
		worker workerMarks
		limit  int64
		asked  int
		puts   int
		kind   userdb.Kind // of the error, when there is one
	}{
		"nothing is uploaded":                  {worker: workerMarks{works: true}, limit: 1 << 20, asked: 1},
		"a file over the Worker's limit":       {worker: workerMarks{works: true}, limit: 50, puts: 1},
		"a Worker that does not offer it":      {worker: workerMarks{works: true}, puts: 1},
		"a Worker with another bucket":         {worker: workerMarks{err: remote(userdb.Precondition, wire.KindFileChanged)}, limit: 1 << 20, asked: 1, puts: 1},
		"a Worker that refuses the header":     {worker: workerMarks{err: remote(userdb.ProtocolError, wire.KindBadRequest)}, limit: 1 << 20, asked: 1, puts: 1},
		"no answer and no effect":              {worker: workerMarks{err: &userdb.Error{Kind: userdb.Unreachable}}, limit: 1 << 20, asked: 1, puts: 1},
		"an effect with a lost answer":         {worker: workerMarks{works: true, err: &userdb.Error{Kind: userdb.Unreachable}}, limit: 1 << 20, asked: 1, puts: 1, kind: userdb.Precondition},
		"an answer that speaks of other bytes": {worker: workerMarks{works: true, err: &userdb.Error{Kind: userdb.ProtocolError}}, limit: 1 << 20, asked: 1, kind: userdb.ProtocolError},
	} {
		t.Run(name, func(t *testing.T) {
			w := c.worker
			w.memory = newMemory()
			w.put("alice/database.sqlite", append(header(), "the rest of the file"...), time.Now())
			e := w.engine(t)
			e.Marker, e.MarkBytes = &w, c.limit
			m := &migration{Engine: e, user: "alice", g: 7, result: &result.Result{}}
			var err error
			if m.file, err = m.download(t.Context(), "alice"); err != nil {
				t.Fatal(err)
			}
			defer m.file.Remove()
			_, err = m.putFence(t.Context(), m.user, m.file, m.fenceMark())
			if userdb.KindOf(err) != c.kind || w.asked != c.asked || w.calls["R2 put"] != c.puts {
				t.Errorf("%v, %d messages to the Worker, %d uploads", err, w.asked, w.calls["R2 put"])
			}
			now, err := m.look(t.Context(), "alice")
			if err != nil || !now.FencedBy(7) || now.Object.Metadata["dbmigrate-fence"] != "7.7" {
				t.Errorf("the file is %s, %v (%v)", now.Word(), now.Object.Metadata, err)
			}
		})
	}
}
