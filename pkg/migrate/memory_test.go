package migrate

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// memory is a bucket, a namespace and the Durable Objects of users who are in none of them, all in memory; it
// counts the calls of each API.
type memory struct {
	Stores
	mu      sync.Mutex
	objects map[userdb.ObjectKey]userdb.Object
	content map[userdb.ObjectKey][]byte
	flagged map[userdb.UserID]userdb.FlagMeta
	calls   map[string]int
}

const listed = 1000 // what R2 and KV list in one call

func newMemory() *memory {
	return &memory{
		objects: map[userdb.ObjectKey]userdb.Object{},
		content: map[userdb.ObjectKey][]byte{},
		flagged: map[userdb.UserID]userdb.FlagMeta{},
		calls:   map[string]int{},
	}
}

func (m *memory) count(call string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[call]++
}

func (m *memory) put(key userdb.ObjectKey, content []byte, at time.Time) {
	m.content[key] = content
	m.objects[key] = userdb.Object{
		Key:          key,
		Size:         int64(len(content)),
		ETag:         userdb.ETag(fmt.Sprint(at.UnixNano())),
		LastModified: at,
	}
}

func (m *memory) Status(context.Context, userdb.UserID) (wire.Status, error) {
	m.count("durable object")
	return wire.Status{Phase: userdb.Empty}, nil
}

type memoryFiles struct {
	Files
	*memory
}

func (f memoryFiles) List(
	_ context.Context,
	prefix, _ string,
	yield func([]userdb.Object, []string) error,
) error {
	var page []userdb.Object
	for key, o := range f.objects {
		if strings.HasPrefix(string(key), prefix) {
			page = append(page, o)
		}
	}
	slices.SortFunc(
		page,
		func(a, b userdb.Object) int { return strings.Compare(string(a.Key), string(b.Key)) },
	) // as R2 does
	for chunk := range slices.Chunk(page, listed) {
		f.count("R2 list")
		if err := yield(chunk, nil); err != nil {
			return err
		}
	}
	return nil
}

func (f memoryFiles) Get(
	_ context.Context,
	key userdb.ObjectKey,
	_ userdb.ETag,
	w io.Writer,
) (userdb.Object, error) {
	f.count("R2 get")
	if _, there := f.objects[key]; !there {
		return userdb.Object{}, &userdb.Error{Op: "get", Kind: userdb.NotFound}
	}
	_, err := w.Write(f.content[key])
	return f.objects[key], err
}

func (f memoryFiles) GetRange(
	ctx context.Context,
	key userdb.ObjectKey,
	_ userdb.ETag,
	_, _ int64,
) ([]byte, userdb.Object, error) {
	var b bytes.Buffer
	o, err := f.Get(ctx, key, "", &b)
	return b.Bytes(), o, err
}

type memoryFlags struct {
	Flags
	*memory
}

func (f memoryFlags) List(_ context.Context, prefix string, yield func([]userdb.Flag) error) error {
	var flags []userdb.Flag
	for u, meta := range f.flagged {
		if strings.HasPrefix(string(u), prefix) {
			flags = append(flags, userdb.Flag{User: u, Meta: meta})
		}
	}
	for page := range slices.Chunk(flags, listed) {
		f.count("KV")
		if err := yield(page); err != nil {
			return err
		}
	}
	return nil
}

func (f memoryFlags) Delete(_ context.Context, users []userdb.UserID) error {
	f.count("KV")
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, u := range users {
		delete(f.flagged, u)
	}
	return nil
}

func (m *memory) engine(t *testing.T) *Engine {
	t.Helper()
	layout, err := userdb.ParseLayout(userdb.DefaultLayout)
	if err != nil {
		t.Fatal(err)
	}
	return &Engine{
		Files:       memoryFiles{nil, m},
		Flags:       memoryFlags{nil, m},
		Stores:      m,
		Layout:      layout,
		Bucket:      "users",
		Concurrency: 64,
	}
}

func (f memoryFiles) Put(
	_ context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	_ int64,
	opts userdb.PutOptions,
) (userdb.ETag, error) {
	f.count("R2 put")
	content, err := io.ReadAll(body)
	if err != nil {
		return "", err
	}
	old, there := f.objects[key]
	if opts.IfNoneMatch && there || opts.IfMatch != "" && opts.IfMatch != old.ETag {
		return "", &userdb.Error{Op: "put", Kind: userdb.Precondition}
	}
	f.put(key, content, time.Now())
	o := f.objects[key]
	o.Metadata = opts.Metadata
	f.objects[key] = o
	return o.ETag, nil
}

func (f memoryFiles) Head(_ context.Context, key userdb.ObjectKey) (userdb.Object, error) {
	f.count("R2 head")
	o, there := f.objects[key]
	if !there {
		return o, &userdb.Error{Op: "head", Kind: userdb.NotFound}
	}
	return o, nil
}

func (f memoryFiles) Delete(_ context.Context, key userdb.ObjectKey) error {
	delete(f.objects, key)
	delete(f.content, key)
	return nil
}

func (f memoryFlags) Get(_ context.Context, users []userdb.UserID) (map[userdb.UserID]userdb.Flag, error) {
	found := map[userdb.UserID]userdb.Flag{}
	for _, u := range users {
		if meta, there := f.flagged[u]; there {
			found[u] = userdb.Flag{User: u, Meta: meta}
		}
	}
	return found, nil
}

func (f memoryFlags) Put(_ context.Context, flags []userdb.Flag) error {
	f.count("KV")
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, flag := range flags {
		f.flagged[flag.User] = flag.Meta
	}
	return nil
}
