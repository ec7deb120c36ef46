package property

import (
	"bytes"
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// sides are a bucket and Durable Objects: the runtime's or the world's in memory.
type sides struct {
	name   string
	files  migrate.Files
	stores migrate.Stores
}

// TestWorldConforms asks the runtime and the world in memory the same, message by message, and demands the
// same answers.
func TestWorldConforms(t *testing.T) {
	engine := newEngine(t)
	real := sides{"runtime", engine.Files, engine.Stores}
	w := world.New(t.TempDir())
	fake := sides{"world", w.Bucket, w.Objects}
	sample := sampleOf(t)
	for _, phase := range effort.Some(t, "phases", phaseNames, 2) {
		for _, m := range objectMessages {
			if m.name == "a range" && strings.HasSuffix(phase, "ING") && phase != "MERGING" {
				continue // the engine asks for ranges of whole imports only, and the world has no others
			}
			name := phase + "/" + m.name
			want, got := sample.transcript(t, real, phase, m), sample.transcript(t, fake, phase, m)
			if want != got {
				t.Errorf("%s:\nthe runtime: %s\nthe world:   %s", name, want, got)
			}
		}
	}
	want, got := bucketTranscript(t, real.files), bucketTranscript(t, fake.files)
	for i := range want {
		if want[i] != got[i] {
			t.Errorf("bucket, step %d:\nthe runtime: %s\nthe world:   %s", i, want[i], got[i])
		}
	}
}

// sample is a small database with every storage class, as it is sent.
type sample struct {
	schema wire.Schema
	batch  []byte
	file   []byte
	digest wire.DatabaseDigest
	users  int
}

func sampleOf(t *testing.T) *sample {
	path := filepath.Join(t.TempDir(), "sample.sqlite")
	db, err := sql.Open("sqlite", path)
	must(t, err)
	for _, text := range []string{"CREATE TABLE t (id INTEGER PRIMARY KEY, a, b REAL)", "CREATE INDEX by_a ON t (a)",
		"INSERT INTO t VALUES (1, NULL, 0.1), (2, 9223372036854775807, -0.0), (3, 'text', 1e300), (4, x'00ff', 7), (5, 2.5, NULL)"} {
		_, err := db.Exec(text)
		must(t, err)
	}
	must(t, db.Close())
	f, err := sqlitefile.Open(t.Context(), path)
	must(t, err)
	defer f.Close()
	s := &sample{}
	s.file, err = os.ReadFile(path)
	must(t, err)
	s.schema, err = f.Schema()
	must(t, err)
	s.digest, err = f.Digest(t.Context())
	must(t, err)
	table, _ := f.Table("t")
	batcher := wire.NewBatcher(
		wire.DefaultLimits,
		wire.DefaultLimits.BatchBytes,
		func(body []byte, _ int) error {
			s.batch = body
			return nil
		},
	)
	must(t, batcher.Table("t", table.Import))
	must(t, f.Rows(t.Context(), table, nil, func(row []wire.Value) error { return batcher.Add(row) }))
	must(t, batcher.Flush())
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// conversation is one user's, and the claim that its last command got.
type conversation struct {
	*sample
	sides
	ctx  context.Context
	user userdb.UserID
	g    userdb.Claim
}

func (c *conversation) claim(intent wire.Intent) (wire.Claimed, error) {
	st, err := c.stores.Status(c.ctx, c.user)
	if err != nil {
		return wire.Claimed{}, err
	}
	claimed, err := c.stores.Claim(
		c.ctx,
		c.user,
		wire.ClaimRequest{Intent: intent, Seen: st.Gen, ID: fmt.Sprintf("%016x", st.Gen)},
	)
	if err == nil {
		c.g = claimed.Gen
	}
	return claimed, err
}

func (c *conversation) importUnder(intent wire.Intent) error {
	_, err := c.claim(intent)
	if err == nil {
		_, err = c.stores.Schema(c.ctx, c.user, c.g, c.schema)
	}
	if err == nil {
		_, err = c.stores.Rows(c.ctx, c.user, c.g, 0, c.batch)
	}
	return err
}

func (c *conversation) readyUnder(intent wire.Intent) error {
	err := c.importUnder(intent)
	if err == nil {
		err = c.stores.Finish(c.ctx, c.user, c.g, 1)
	}
	if err == nil {
		_, err = c.stores.Digest(c.ctx, c.user)
	}
	if err == nil {
		_, err = c.stores.Ready(c.ctx, c.user, c.g, c.digest, wire.Receipt{User: c.user, Claim: c.g})
	}
	return err
}

func (c *conversation) activeUnder(intent wire.Intent) error {
	err := c.readyUnder(intent)
	if err == nil {
		_, err = c.stores.Activate(c.ctx, c.user, c.g)
	}
	return err
}

func (c *conversation) sealedUnder(intent wire.Intent) error {
	err := c.activeUnder(intent)
	if err == nil {
		_, err = c.claim(wire.IntentRollback)
	}
	return err
}

var phaseNames = []string{
	"new",
	"EMPTY",
	"IMPORTING",
	"READY",
	"ACTIVE",
	"SEALED",
	"resumed",
	"SPLITTING",
	"SPLIT_READY",
	"COLD",
	"COLD_SEALED",
	"MERGING",
}

// reach brings the user into a phase.
func (c *conversation) reach(phase string) (err error) {
	switch phase {
	case "new":
		return nil
	case "EMPTY":
		_, err = c.claim(wire.IntentRollback)
	case "IMPORTING":
		return c.importUnder(wire.IntentMigrate)
	case "READY":
		return c.readyUnder(wire.IntentMigrate)
	case "ACTIVE":
		return c.activeUnder(wire.IntentMigrate)
	case "SEALED":
		return c.sealedUnder(wire.IntentMigrate)
	case "resumed":
		if err = c.sealedUnder(wire.IntentMigrate); err == nil {
			_, err = c.claim(wire.IntentMigrate)
		}
	case "SPLITTING":
		return c.importUnder(wire.IntentSplit)
	case "SPLIT_READY":
		return c.readyUnder(wire.IntentSplit)
	case "COLD":
		return c.activeUnder(wire.IntentSplit)
	case "COLD_SEALED":
		return c.sealedUnder(wire.IntentSplit)
	case "MERGING":
		if err = c.sealedUnder(wire.IntentSplit); err == nil {
			_, err = c.stores.Merge(c.ctx, c.user, c.g)
		}
	}
	return err
}

type objectMessage struct {
	name string
	send func(*conversation) (any, error)
}

var objectMessages = []objectMessage{
	{"claim migrate", func(c *conversation) (any, error) { return c.claim(wire.IntentMigrate) }},
	{"claim rollback", func(c *conversation) (any, error) { return c.claim(wire.IntentRollback) }},
	{"claim split", func(c *conversation) (any, error) { return c.claim(wire.IntentSplit) }},
	{"claim, seen too little", func(c *conversation) (any, error) {
		return c.stores.Claim(
			c.ctx,
			c.user,
			wire.ClaimRequest{Intent: wire.IntentMigrate, Seen: c.g + 7, ID: "0123456789abcdef"},
		)
	}},
	{"reset", func(c *conversation) (any, error) { return c.stores.Reset(c.ctx, c.user, c.g) }},
	{"reset, stale", func(c *conversation) (any, error) { return c.stores.Reset(c.ctx, c.user, c.g+1) }},
	{"schema", func(c *conversation) (any, error) { return c.stores.Schema(c.ctx, c.user, c.g, c.schema) }},
	{
		"rows again",
		func(c *conversation) (any, error) { return c.stores.Rows(c.ctx, c.user, c.g, 0, c.batch) },
	},
	{
		"rows, stale",
		func(c *conversation) (any, error) { return c.stores.Rows(c.ctx, c.user, c.g+1, 0, c.batch) },
	},
	{"finish", func(c *conversation) (any, error) { return nil, c.stores.Finish(c.ctx, c.user, c.g, 1) }},
	{
		"finish with a batch too few",
		func(c *conversation) (any, error) { return nil, c.stores.Finish(c.ctx, c.user, c.g, 2) },
	},
	{"ready", func(c *conversation) (any, error) {
		return c.stores.Ready(c.ctx, c.user, c.g, c.digest, wire.Receipt{User: c.user, Claim: c.g})
	}},
	{"ready with another digest", func(c *conversation) (any, error) {
		other := c.digest
		other.Database = strings.Repeat("0", 64)
		return c.stores.Ready(c.ctx, c.user, c.g, other, wire.Receipt{User: c.user, Claim: c.g})
	}},
	{"ready, stale", func(c *conversation) (any, error) {
		return c.stores.Ready(c.ctx, c.user, c.g+1, c.digest, wire.Receipt{User: c.user, Claim: c.g})
	}},
	{"activate", func(c *conversation) (any, error) { return c.stores.Activate(c.ctx, c.user, c.g) }},
	{
		"activate, stale",
		func(c *conversation) (any, error) { return c.stores.Activate(c.ctx, c.user, c.g+1) },
	},
	{"release", func(c *conversation) (any, error) { return c.stores.Release(c.ctx, c.user, c.g) }},
	{"release, stale", func(c *conversation) (any, error) { return c.stores.Release(c.ctx, c.user, c.g+1) }},
	{"merge", func(c *conversation) (any, error) { return c.stores.Merge(c.ctx, c.user, c.g) }},
	{"export schema", func(c *conversation) (any, error) { return c.stores.ExportSchema(c.ctx, c.user) }},
	{"export rows", func(c *conversation) (any, error) {
		page, err := c.stores.ExportRows(c.ctx, c.user, wire.ExportRequest{Table: "t", MaxBytes: 1 << 20})
		if err != nil {
			return nil, err
		}
		return []any{
			page.Columns,
			page.Rows,
			page.Last,
			page.Done,
			hex.EncodeToString(page.Cells),
			hex.EncodeToString(page.Reals),
		}, nil
	}},
	{"import", func(c *conversation) (any, error) { return c.importAtOnce(c.file) }},
	{"import of another version", func(c *conversation) (any, error) {
		return c.importAtOnce(append(c.file[:len(c.file):len(c.file)], make([]byte, 4096)...))
	}},
	{"switch", func(c *conversation) (any, error) { return c.switchAtOnce(c.file, c.digest) }},
	{"switch of another version", func(c *conversation) (any, error) {
		return c.switchAtOnce(append(c.file[:len(c.file):len(c.file)], make([]byte, 4096)...), c.digest)
	}},
	{"switch to another digest", func(c *conversation) (any, error) {
		other := c.digest
		other.Database = strings.Repeat("0", 64)
		return c.switchAtOnce(c.file, other)
	}},
	{"a range", func(c *conversation) (any, error) {
		return c.stores.Range(
			c.ctx,
			c.user,
			wire.RangeRequest{Table: "t", After: wire.Key{{Class: wire.Integer, Int: 1}}, Limit: 2},
		)
	}},
}

func md5Of(content []byte) string {
	sum := md5.Sum(content)
	return hex.EncodeToString(sum[:])
}

// putFile puts the user's file, and says where and when.
func (c *conversation) putFile(content []byte) (userdb.Object, error) {
	key := userdb.ObjectKey(string(c.user) + "/database.sqlite")
	if _, err := c.files.Put(
		c.ctx, key, bytes.NewReader(content), int64(len(content)), userdb.PutOptions{}); err != nil {
		return userdb.Object{}, err
	}
	return c.files.Head(c.ctx, key)
}

// importAtOnce imports the sample while the bucket has the content.
func (c *conversation) importAtOnce(content []byte) (any, error) {
	st, err := c.stores.Status(c.ctx, c.user)
	if err == nil {
		_, err = c.putFile(content)
	}
	if err != nil {
		return nil, err
	}
	claim := wire.ClaimRequest{Intent: wire.IntentMigrate, Seen: st.Gen, ID: fmt.Sprintf("at-once-%08x", st.Gen)}
	got, err := c.stores.(migrate.Composites).Import(
		c.ctx, c.user,
		wire.ImportRequest{Claim: claim, ETag: md5Of(c.file), Schema: c.schema, Batch: c.batch})
	got.Claimed.DatabaseBytes = 0
	return got, err
}

// switchAtOnce switches to the digest while the bucket has the content.
func (c *conversation) switchAtOnce(content []byte, digest wire.DatabaseDigest) (any, error) {
	o, err := c.putFile(content)
	if err != nil {
		return nil, err
	}
	fence := max(c.g, 1) // no mark has claim 0
	marked, err := userdb.WithFence(
		bytes.Clone(c.file), fence.Lineage(), fence.Nonce(), make([]byte, userdb.MarkRandomBytes))
	if err != nil {
		return nil, err
	}
	mark := wire.MarkRequest{ETag: md5Of(c.file), Modified: o.LastModified.Unix(), Head: marked[:userdb.HeaderBytes],
		MD5: md5Of(marked), Metadata: map[string]string{"dbmigrate-fence": "1.1"}}
	got, err := c.stores.(migrate.Composites).Switch(c.ctx, c.user, wire.SwitchRequest{
		Gen: c.g, Mark: mark, Digest: digest, Receipt: wire.Receipt{User: c.user, Claim: c.g}})
	got.Status.DatabaseBytes = 0
	return got, err
}

// transcript is what a message is answered in a phase, and the state afterwards.
func (s *sample) transcript(t *testing.T, on sides, phase string, m objectMessage) string {
	t.Helper()
	s.users++
	c := &conversation{
		sample: s,
		sides:  on,
		ctx:    t.Context(),
		user:   userdb.UserID(fmt.Sprintf("conform-%s-%d", on.name, s.users)),
	}
	if err := c.reach(phase); err != nil {
		t.Fatalf("%s: bring a user to %s: %v", on.name, phase, err)
	}
	answer, err := m.send(c)
	st, statusErr := c.stores.Status(c.ctx, c.user)
	must(t, statusErr)
	return fmt.Sprintf("%s; then %s", describe(answer, err, c.user), describe(st, nil, c.user))
}

// bookmarks are the runtime's own: the world has no point-in-time recovery.
var bookmarks = regexp.MustCompile(`,"bookmarks":\{[^}]*\}`)

// describe leaves out what differs from run to run: the user, sizes and bookmarks.
func describe(answer any, err error, user userdb.UserID) string {
	if err != nil {
		var remote *wire.RemoteError
		kind := ""
		if errors.As(err, &remote) {
			kind = remote.Kind
		}
		return fmt.Sprintf("error %s (%s)", userdb.KindOf(err), kind)
	}
	if st, ok := answer.(wire.Status); ok {
		st.DatabaseBytes = 0
		answer = st
	}
	if claimed, ok := answer.(wire.Claimed); ok {
		claimed.DatabaseBytes = 0
		answer = claimed
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(bookmarks.ReplaceAllString(string(text), ""), string(user), "USER")
}

// bucketTranscript is what a bucket answers to reads and writes under conditions.
func bucketTranscript(t *testing.T, files migrate.Files) []string {
	var lines []string
	say := func(answer any, err error) {
		kind := userdb.KindOf(err)
		text, _ := json.Marshal(answer)
		lines = append(lines, fmt.Sprintf("%s %s", kind, text))
	}
	ctx := t.Context()
	const key = userdb.ObjectKey("conform/dir/a.bin")
	put := func(body string, opts userdb.PutOptions) userdb.ETag {
		etag, err := files.Put(ctx, key, strings.NewReader(body), int64(len(body)), opts)
		say(etag, err)
		return etag
	}
	attributes := func(o userdb.Object, err error) {
		meta := map[string]string{}
		for name, value := range o.Metadata {
			meta[strings.ToLower(name)] = value
		}
		say([]any{o.Key, o.Size, o.ETag, o.ContentType, meta}, err)
	}
	attributes(files.Head(ctx, key))
	put("first", userdb.PutOptions{IfMatch: `"d41d8cd98f00b204e9800998ecf8427e"`})
	one := put(
		"first",
		userdb.PutOptions{
			IfNoneMatch: true,
			ContentType: "text/x-one",
			Metadata:    map[string]string{"name": "value"},
		},
	)
	put("second", userdb.PutOptions{IfNoneMatch: true})
	two := put("second", userdb.PutOptions{IfMatch: one, ContentType: "text/x-two"})
	put("third", userdb.PutOptions{IfMatch: one})
	attributes(files.Head(ctx, key))
	var body bytes.Buffer
	attributes(files.Get(ctx, key, two, &body))
	say(body.String(), nil)
	attributes(files.Get(ctx, key, one, io.Discard))
	for _, span := range [][2]int64{{0, 3}, {3, 100}, {0, 100}} {
		part, o, err := files.GetRange(ctx, key, "", span[0], span[1])
		say([]any{string(part), o.Size, o.ETag}, err)
	}
	var listed []string
	err := files.List(ctx, "conform/", "/", func(objects []userdb.Object, folders []string) error {
		for _, o := range objects {
			listed = append(listed, string(o.Key))
		}
		listed = append(listed, folders...)
		return nil
	})
	slices.Sort(listed)
	say(listed, err)
	say(nil, files.Delete(ctx, key))
	say(nil, files.Delete(ctx, key))
	attributes(files.Head(ctx, key))
	return lines
}
