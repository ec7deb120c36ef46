package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Place is where records are looked for: a bucket, and a folder of this machine ("" is none).
type Place struct {
	Files  Files
	Dir    string
	Bucket string // records of other buckets in Dir are passed over
	Now    func() time.Time
}

// List reads the newest runs' records, at most limit, newest first. A record that cannot be read is told to
// warn and passed over. Where the bucket does not list its own, this machine's are enough, if there are any.
func (p *Place) List(ctx context.Context, limit int, warn func(error)) ([]Run, error) {
	remote, err := p.remote(ctx)
	if err == nil {
		return p.newest(ctx, remote, limit, warn)
	}
	runs, localErr := p.newest(ctx, nil, limit, warn)
	if localErr != nil || len(runs) == 0 {
		return nil, err
	}
	warn(&Unlisted{err})
	return runs, nil
}

// Unlisted says that only this machine's records were read.
type Unlisted struct{ err error }

func (u *Unlisted) Error() string {
	return fmt.Sprintf("only the records of this machine are here: the bucket does not list its own: %v", u.err)
}

// Unwrap is why.
func (u *Unlisted) Unwrap() error { return u.err }

// newest reads the newest of the bucket's records and of this machine's.
func (p *Place) newest(
	ctx context.Context,
	remote map[string]userdb.Object,
	limit int,
	warn func(error),
) ([]Run, error) {
	local := p.local()
	var runs []Run
	for _, id := range newestFirst(remote, local) {
		if len(runs) == limit {
			break
		}
		run, err := p.one(ctx, id, remote, local)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, errOtherBucket):
		case err != nil:
			warn(fmt.Errorf("read the record of run %s: %w", id, err))
		default:
			runs = append(runs, run)
		}
	}
	return runs, nil
}

// IDs are the newest runs' ids that begin with a prefix, at most limit, by one listing and no record of the
// bucket. What the bucket does not list is missing among them.
func (p *Place) IDs(ctx context.Context, prefix string, limit int) (ids []string) {
	remote, _ := p.remote(ctx)
	local := p.local()
	for _, id := range newestFirst(remote, local) {
		if len(ids) == limit {
			break
		}
		if strings.HasPrefix(id, prefix) && (remote[id].Key != "" || p.isOurs(local[id])) {
			ids = append(ids, id)
		}
	}
	return ids
}

// isOurs says whether a record of this machine is one over the bucket.
func (p *Place) isOurs(path string) bool {
	run, err := loadLocal(path, nil, p.Now())
	return err == nil && run.Bucket == p.Bucket
}

// newestFirst are the ids of both: an id begins with the time.
func newestFirst(remote map[string]userdb.Object, local map[string]string) []string {
	ids := slices.AppendSeq(slices.Collect(maps.Keys(remote)), maps.Keys(local))
	slices.Sort(ids)
	ids = slices.Compact(ids)
	slices.Reverse(ids)
	return ids
}

var errOtherBucket = errors.New("a run over another bucket")

// one prefers this machine's record, which is never behind the copy.
func (p *Place) one(
	ctx context.Context,
	id string,
	remote map[string]userdb.Object,
	local map[string]string,
) (Run, error) {
	if path, here := local[id]; here {
		run, err := loadLocal(path, nil, p.Now())
		if err == nil && run.Bucket != p.Bucket {
			err = errOtherBucket
		}
		if _, there := remote[id]; err == nil || !there {
			return run, err
		}
	}
	return summarize(ctx, p.Files, remote[id], p.Now())
}

func (p *Place) remote(ctx context.Context) (map[string]userdb.Object, error) {
	found := map[string]userdb.Object{}
	err := p.Files.List(ctx, Prefix, "", func(objects []userdb.Object, _ []string) error {
		for _, o := range objects {
			if id := runOf(string(o.Key)); id != "" {
				found[id] = o
			}
		}
		return nil
	})
	return found, err
}

func (p *Place) local() map[string]string {
	found := map[string]string{}
	if p.Dir == "" {
		return found
	}
	entries, _ := os.ReadDir(p.Dir) // a folder that is not there has no records
	for _, e := range entries {
		if id := runOf(e.Name()); id != "" && e.Type().IsRegular() {
			found[id] = filepath.Join(p.Dir, e.Name())
		}
	}
	return found
}

// Load reads one run's record with all its users.
func (p *Place) Load(ctx context.Context, id string, user func(UserLine)) (Run, error) {
	if id == "" || strings.ContainsAny(id, `/\`) {
		return Run{}, &userdb.Error{
			Op:    "read run",
			Thing: fmt.Sprintf("%.80q", id),
			Kind:  userdb.Usage,
			Err:   errors.New("it is no run's id"),
			Hint:  "`dbmigrate runs` lists them",
		}
	}
	if p.Dir != "" {
		run, err := loadLocal(filepath.Join(p.Dir, name(id)), user, p.Now())
		if !errors.Is(err, os.ErrNotExist) {
			return run, err
		}
	}
	run, err := load(ctx, p.Files, Key(id), user, p.Now())
	if userdb.KindOf(err) == userdb.NotFound {
		return Run{}, &userdb.Error{
			Op:    "read run",
			Thing: id,
			Kind:  userdb.NotFound,
			Err:   errors.New("there is no record of it, here or in the bucket"),
			Hint:  "`dbmigrate runs` lists those that there are",
		}
	}
	return run, err
}

func bytesReader(b []byte) io.Reader { return bytes.NewReader(b) }

func firstLine(head []byte) []byte {
	if end := bytes.IndexByte(head, '\n'); end >= 0 {
		return head[:end]
	}
	return nil
}

// lastLine is the last whole line.
func lastLine(tail []byte) []byte {
	tail, whole := bytes.CutSuffix(tail, []byte("\n"))
	begin := bytes.LastIndexByte(tail, '\n')
	if !whole || begin < 0 {
		return nil
	}
	return tail[begin+1:]
}
