package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/dbmigrate/dbmigrate/internal/testkit/appdb"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// destination is the bucket or a folder.
type destination interface {
	put(ctx context.Context, key userdb.ObjectKey, body io.ReadSeeker, size int64) error
	String() string
}

func openDestination(o options) (destination, error) {
	if o.dir != "" {
		return folder{o.dir, o.overwrite}, nil
	}
	client, err := r2.New(r2.Config{
		Endpoint: os.Getenv(
			"AWS_ENDPOINT_URL_S3",
		), Bucket: os.Getenv("DBMIGRATE_BUCKET"), AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN"),
	})
	return bucket{client, o.overwrite}, err
}

type bucket struct {
	client    *r2.Client
	overwrite bool
}

func (b bucket) String() string { return "bucket " + b.client.Bucket() }

// put creates; replacing a real user's database by a generated one has to be asked for.
func (b bucket) put(ctx context.Context, key userdb.ObjectKey, body io.ReadSeeker, size int64) error {
	_, err := b.client.Put(ctx, key, body, size, r2.PutOptions{IfNoneMatch: !b.overwrite})
	if userdb.KindOf(err) == userdb.Precondition {
		return fmt.Errorf("%s exists (--overwrite replaces it)", key)
	}
	return err
}

type folder struct {
	dir       string
	overwrite bool
}

func (f folder) String() string { return "folder " + f.dir }

func (f folder) put(_ context.Context, key userdb.ObjectKey, body io.ReadSeeker, _ int64) error {
	path := filepath.Join(f.dir, filepath.FromSlash(string(key)))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if f.overwrite {
		mode = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(path, mode, 0o644)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists (--overwrite replaces it)", path)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(file, body)
	return errors.Join(err, file.Close())
}

type result struct {
	user  userdb.UserID
	bytes int64
}

// writeAll returns the users that were written, in the plan's order, and the errors of the others.
func writeAll(ctx context.Context, o options, members []member, to destination) ([]result, error) {
	scratch, err := os.MkdirTemp("", "dbmigrate-fleet-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	results, errs := make([]result, len(members)), make([]error, len(members))
	var running errgroup.Group
	running.SetLimit(o.parallel)
	for i, m := range members {
		running.Go(func() error {
			results[i], errs[i] = writeMember(ctx, o, m, to, scratch)
			return nil // the others are written all the same
		})
	}
	_ = running.Wait() // errs has them all
	var written []result
	for i, r := range results {
		if errs[i] == nil {
			written = append(written, r)
		}
	}
	return written, errors.Join(errs...)
}

func writeMember(ctx context.Context, o options, m member, to destination, scratch string) (result, error) {
	if err := ctx.Err(); err != nil {
		return result{}, err
	}
	path := m.file
	if path == "" {
		path = filepath.Join(scratch, string(m.user))
		defer os.Remove(path)
		if _, err := appdb.Build(ctx, path, m.seed, m.bytes); err != nil {
			return result{}, err
		}
	}
	size, err := putFile(ctx, path, o.layout.Key(m.user), to)
	if err != nil {
		return result{}, fmt.Errorf("write %s: %w", m.user, err)
	}
	if o.videos {
		err = putVideos(ctx, m.user, to)
	}
	return result{m.user, size}, err
}

func putFile(ctx context.Context, path string, key userdb.ObjectKey, to destination) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), to.put(ctx, key, file, info.Size())
}

// putVideos adds what a scan must step over: objects beside the database, enough like MP4 to be recognised.
func putVideos(ctx context.Context, user userdb.UserID, to destination) error {
	for game := 1; game <= 2; game++ {
		content := "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + strings.Repeat(
			fmt.Sprintf("%s game %d ", user, game),
			100,
		)
		key := userdb.ObjectKey(fmt.Sprintf("%s/games/%d.mp4", user, game))
		if err := to.put(ctx, key, strings.NewReader(content), int64(len(content))); err != nil {
			return fmt.Errorf("write videos of %s: %w", user, err)
		}
	}
	return nil
}
