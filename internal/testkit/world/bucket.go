package world

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Bucket is R2: strongly consistent, with conditions on ETags, which are the MD5 of the content.
type Bucket struct {
	mu      sync.Mutex
	objects map[userdb.ObjectKey]stored
}

type stored struct {
	userdb.Object
	body []byte
}

// NewBucket makes an empty bucket.
func NewBucket() *Bucket { return &Bucket{objects: map[userdb.ObjectKey]stored{}} }

func bucketError(op string, key userdb.ObjectKey, kind userdb.Kind, why string) error {
	return &userdb.Error{Op: op, Thing: string(key), Kind: kind, Err: errors.New(why)}
}

func (b *Bucket) read(op string, key userdb.ObjectKey, ifMatch userdb.ETag) (stored, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o, ok := b.objects[key]
	if !ok {
		return stored{}, bucketError(op, key, userdb.NotFound, "there is no such object")
	}
	if ifMatch != "" && ifMatch != o.ETag {
		return stored{}, bucketError(op, key, userdb.Precondition, "it is another version")
	}
	return o, nil
}

// Head reads an object's attributes.
func (b *Bucket) Head(_ context.Context, key userdb.ObjectKey) (userdb.Object, error) {
	o, err := b.read("head", key, "")
	return o.overS3(), err
}

// Get writes the object to w.
func (b *Bucket) Get(
	_ context.Context,
	key userdb.ObjectKey,
	ifMatch userdb.ETag,
	w io.Writer,
) (userdb.Object, error) {
	o, err := b.read("get", key, ifMatch)
	if err == nil {
		_, err = w.Write(o.body)
	}
	return o.overS3(), err
}

// GetRange reads at most length bytes from offset.
func (b *Bucket) GetRange(
	_ context.Context,
	key userdb.ObjectKey,
	ifMatch userdb.ETag,
	offset, length int64,
) ([]byte, userdb.Object, error) {
	o, err := b.read("get", key, ifMatch)
	if err != nil {
		return nil, userdb.Object{}, err
	}
	size := int64(len(o.body))
	return slices.Clone(o.body[min(offset, size):min(offset+length, size)]), o.overS3(), nil
}

// Put stores the body, if the condition holds.
func (b *Bucket) Put(
	_ context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	_ int64,
	opts userdb.PutOptions,
) (userdb.ETag, error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return "", err
	}
	opts.Metadata = lowerNames(opts.Metadata)
	return b.put(key, content, opts)
}

// Carried is the metadata as a Worker sees it: names have their capitals.
func (b *Bucket) Carried(key userdb.ObjectKey) map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.objects[key].Metadata
}

// Carry gives an object one more piece of metadata, as a Worker can.
func (b *Bucket) Carry(key userdb.ObjectKey, name, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.objects[key]
	o.Metadata = maps.Clone(o.Metadata)
	o.Metadata[name] = value
	b.objects[key] = o
}

// overS3 is an object as S3 shows it.
func (o stored) overS3() userdb.Object {
	o.Metadata = lowerNames(o.Metadata)
	return o.Object
}

func (b *Bucket) put(key userdb.ObjectKey, content []byte, opts userdb.PutOptions) (userdb.ETag, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o, exists := b.objects[key]
	if opts.IfNoneMatch && exists || opts.IfMatch != "" && (!exists || o.ETag != opts.IfMatch) {
		return "", bucketError("put", key, userdb.Precondition, "it is another version")
	}
	metadata := map[string]string{}
	maps.Copy(metadata, opts.Metadata)
	sum := md5.Sum(content)
	etag := userdb.ETag(`"` + hex.EncodeToString(sum[:]) + `"`)
	b.objects[key] = stored{
		body: content,
		Object: userdb.Object{Key: key, Size: int64(len(content)), ETag: etag,
			LastModified: time.Now().
				Truncate(time.Second),
			ContentType: opts.ContentType, Metadata: metadata},
	}
	return etag, nil
}

// lowerNames: S3 takes and shows names of metadata in lower case.
func lowerNames(meta map[string]string) map[string]string {
	lower := map[string]string{}
	for name, value := range meta {
		lower[strings.ToLower(name)] = value
	}
	return lower
}

// Delete removes the object.
func (b *Bucket) Delete(_ context.Context, key userdb.ObjectKey) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, key)
	return nil
}

// DeleteOnce is Delete: nothing here is sent again.
func (b *Bucket) DeleteOnce(ctx context.Context, key userdb.ObjectKey) error {
	return b.Delete(ctx, key)
}

// List yields one page of everything under prefix.
func (b *Bucket) List(
	_ context.Context,
	prefix, delimiter string,
	yield func([]userdb.Object, []string) error,
) error {
	b.mu.Lock()
	var objects []userdb.Object
	folders := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		rest, under := strings.CutPrefix(string(key), prefix)
		if !under {
			continue
		}
		if folder, _, nested := strings.Cut(rest, delimiter); delimiter != "" && nested {
			folders[prefix+folder+delimiter] = true
			continue
		}
		o := b.objects[key].Object
		o.ContentType, o.Metadata = "", nil
		objects = append(objects, o)
	}
	b.mu.Unlock()
	return yield(objects, slices.Sorted(maps.Keys(folders)))
}
