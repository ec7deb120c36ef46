package r2

import (
	"bytes"
	"context"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// shared is Cloudflare's local runtime, one for the package. Each test keeps to keys under its own name.
var shared *stack.Stack

func TestMain(m *testing.M) {
	options := stack.Options{ConfigPath: "../../internal/testkit/stack/testdata/wrangler.jsonc"}
	os.Exit(stack.RunTests(m, options, func(s *stack.Stack) { shared = s }))
}

func localConfig() Config {
	return Config{
		Endpoint:        shared.S3Endpoint,
		Bucket:          shared.Bucket,
		AccessKeyID:     shared.AccessKey,
		SecretAccessKey: shared.SecretKey,
	}
}

func newClient(t *testing.T, config Config) *Client {
	t.Helper()
	client, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func put(t *testing.T, c *Client, key, content string, options PutOptions) userdb.ETag {
	t.Helper()
	etag, err := c.Put(
		t.Context(),
		userdb.ObjectKey(key),
		strings.NewReader(content),
		int64(len(content)),
		options,
	)
	if err != nil {
		t.Fatal(err)
	}
	return etag
}

func TestPutHeadGet(t *testing.T) {
	c := newClient(t, localConfig())
	content := strings.Repeat("0123456789abcdef", 1<<16) // 1 MB: several reads
	metadata := map[string]string{
		"dbm-fence":      "l=7;n=9",
		"dbm-by":         "run 12",
		"their_own.name": "kept: as it is",
	}
	key := userdb.ObjectKey(t.Name() + "/ä b+c.sqlite")
	body := strings.NewReader("skip" + content)
	if _, err := body.Seek(4, 0); err != nil {
		t.Fatal(err)
	}
	etag, err := c.Put(
		t.Context(),
		key,
		body,
		int64(len(content)),
		PutOptions{Metadata: metadata, ContentType: "application/vnd.sqlite3"},
	)
	if err != nil {
		t.Fatal(err)
	}

	head, err := c.Head(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if head.Key != key || head.Size != int64(len(content)) || head.ETag != etag ||
		!reflect.DeepEqual(head.Metadata, metadata) ||
		head.LastModified.IsZero() ||
		head.ContentType != "application/vnd.sqlite3" {
		t.Errorf("head: %+v", head)
	}
	for _, ifMatch := range []userdb.ETag{"", etag} {
		var got bytes.Buffer
		object, err := c.Get(t.Context(), key, ifMatch, &got)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != content || !reflect.DeepEqual(object, head) {
			t.Errorf("get: %d bytes, %+v", got.Len(), object)
		}
	}
}

func TestGetIsPinned(t *testing.T) {
	c := newClient(t, localConfig())
	key := t.Name()
	old := put(t, c, key, "old", PutOptions{})
	put(t, c, key, "new", PutOptions{})
	var got bytes.Buffer
	if _, err := c.Get(t.Context(), userdb.ObjectKey(key), old, &got); userdb.KindOf(
		err,
	) != userdb.Precondition {
		t.Errorf("get of a replaced version: %v", err)
	}
	if _, _, err := c.GetRange(t.Context(), userdb.ObjectKey(key), old, 0, 2); userdb.KindOf(
		err,
	) != userdb.Precondition {
		t.Errorf("range of a replaced version: %v", err)
	}
	if got.Len() != 0 {
		t.Errorf("got %q", got.String())
	}
}

func TestGetRange(t *testing.T) {
	c := newClient(t, localConfig())
	full, empty := t.Name()+"/full", t.Name()+"/empty"
	put(t, c, full, "0123456789", PutOptions{})
	put(t, c, empty, "", PutOptions{})
	for _, test := range []struct {
		key            string
		offset, length int64
		want           string
		size           int64
	}{
		{full, 0, 3, "012", 10}, {full, 4, 6, "456789", 10}, {full, 8, 100, "89", 10}, {full, 10, 1, "", 10}, {full, 50, 5, "", 10}, {empty, 0, 100, "", 0},
	} {
		data, object, err := c.GetRange(t.Context(), userdb.ObjectKey(test.key), "", test.offset, test.length)
		if err != nil || string(data) != test.want || object.Size != test.size || object.ETag == "" {
			t.Errorf(
				"%d bytes from %d of %s: %q %+v %v",
				test.length,
				test.offset,
				test.key,
				data,
				object,
				err,
			)
		}
	}
	if _, _, err := c.GetRange(t.Context(), userdb.ObjectKey(full), "", 0, 0); userdb.KindOf(
		err,
	) != userdb.Internal {
		t.Errorf("range of no bytes: %v", err)
	}
	if _, err := c.Get(t.Context(), userdb.ObjectKey(empty), "", &bytes.Buffer{}); err != nil {
		t.Errorf("get of an empty object: %v", err)
	}
}

func TestConditionalPut(t *testing.T) {
	c := newClient(t, localConfig())
	for _, test := range []struct {
		name    string
		exists  bool
		options func(current userdb.ETag) PutOptions
		want    userdb.Kind
	}{
		{"matching", true, func(e userdb.ETag) PutOptions { return PutOptions{IfMatch: e} }, ""},
		{"stale", true, func(userdb.ETag) PutOptions { return PutOptions{IfMatch: `"00000000000000000000000000000000"`} }, userdb.Precondition},
		{"match-nothing", false, func(userdb.ETag) PutOptions { return PutOptions{IfMatch: `"00000000000000000000000000000000"`} }, userdb.Precondition},
		{"create", false, func(userdb.ETag) PutOptions { return PutOptions{IfNoneMatch: true} }, ""},
		{"create-again", true, func(userdb.ETag) PutOptions { return PutOptions{IfNoneMatch: true} }, userdb.Precondition},
		{"both", true, func(e userdb.ETag) PutOptions { return PutOptions{IfMatch: e, IfNoneMatch: true} }, userdb.Usage},
	} {
		t.Run(test.name, func(t *testing.T) {
			key := userdb.ObjectKey(t.Name())
			var current userdb.ETag
			if test.exists {
				current = put(t, c, t.Name(), "before", PutOptions{})
			}
			_, err := c.Put(t.Context(), key, strings.NewReader("after"), 5, test.options(current))
			if userdb.KindOf(err) != test.want {
				t.Fatalf("put: %v", err)
			}
			var got bytes.Buffer
			if _, err := c.Get(t.Context(), key, "", &got); err != nil && test.exists {
				t.Fatal(err)
			}
			if (got.String() == "after") != (test.want == "") {
				t.Errorf("the object now holds %q", got.String())
			}
		})
	}
}

func TestListing(t *testing.T) {
	c := newClient(t, localConfig())
	root := t.Name() + "/"
	for _, key := range []string{"a/database.sqlite", "a/games/1.mp4", "a/games/2.mp4", "b +é\x01/database.sqlite", "note.txt"} {
		put(t, c, root+key, key, PutOptions{})
	}
	all := collect(t, func(each page) error { return c.List(t.Context(), root, "", each) })
	want := []string{
		root + "a/database.sqlite",
		root + "a/games/1.mp4",
		root + "a/games/2.mp4",
		root + "b +é\x01/database.sqlite",
		root + "note.txt",
	}
	if !slices.Equal(all, want) {
		t.Errorf("all: %q", all)
	}
	level := collect(t, func(each page) error { return c.List(t.Context(), root, "/", each) })
	if !slices.Equal(level, []string{root + "note.txt", root + "a/", root + "b +é\x01/"}) {
		t.Errorf("level: %q", level)
	}
	err := c.List(t.Context(), root, "", func(objects []Object, _ []string) error {
		if head, err := c.Head(t.Context(), objects[0].Key); err != nil || head.ETag != objects[0].ETag ||
			head.Size != objects[0].Size {
			t.Errorf("listed %+v, head %+v (%v)", objects[0], head, err)
		}
		return context.Canceled
	})
	if err != context.Canceled {
		t.Errorf("the caller's error came back as %v", err)
	}
}

// page is what a listing hands its findings to.
type page = func([]Object, []string) error

func collect(t *testing.T, list func(page) error) (names []string) {
	t.Helper()
	err := list(func(objects []Object, folders []string) error {
		for _, object := range objects {
			names = append(names, string(object.Key))
		}
		names = append(names, folders...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestDelete(t *testing.T) {
	c := newClient(t, localConfig())
	put(t, c, t.Name(), "x", PutOptions{})
	for range 2 {
		if err := c.Delete(t.Context(), userdb.ObjectKey(t.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Head(t.Context(), userdb.ObjectKey(t.Name())); userdb.KindOf(err) != userdb.NotFound {
		t.Errorf("head after delete: %v", err)
	}
}

func TestRefusalsOfTheServer(t *testing.T) {
	wrongSecret, wrongID, wrongBucket := localConfig(), localConfig(), localConfig()
	wrongSecret.SecretAccessKey = "another-secret"
	wrongID.AccessKeyID = "another-key"
	wrongBucket.Bucket = "another-bucket"
	for _, test := range []struct {
		name   string
		config Config
		want   userdb.Kind
		hint   string
	}{
		{"secret", wrongSecret, userdb.Unauthorized, "AWS_SECRET_ACCESS_KEY"},
		{"id", wrongID, userdb.Unauthorized, "AWS_ACCESS_KEY_ID"},
		{"bucket", wrongBucket, userdb.NotFound, "check the bucket's name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClient(t, test.config)
			calls := map[string]func() error{
				"list": func() error { return c.List(t.Context(), "x", "", func([]Object, []string) error { return nil }) },
				"get":  func() error { _, err := c.Get(t.Context(), "x", "", &bytes.Buffer{}); return err },
				"put":  func() error { _, err := c.Put(t.Context(), "x", strings.NewReader("x"), 1, PutOptions{}); return err },
			}
			for name, call := range calls {
				err := call()
				if userdb.KindOf(err) != test.want || !strings.Contains(err.Error(), test.hint) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if _, err := c.Head(t.Context(), "x"); userdb.KindOf(err) != test.want {
				t.Errorf("head: %v", err)
			}
		})
	}
	if _, err := newClient(t, localConfig()).Get(t.Context(), "absent/key", "", &bytes.Buffer{}); userdb.KindOf(
		err,
	) != userdb.NotFound ||
		!strings.Contains(err.Error(), "user-data/absent/key") {
		t.Errorf("get of an absent key: %v", err)
	}
}
