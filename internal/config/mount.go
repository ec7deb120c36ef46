package config

import (
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// storeClass is the Durable Object of the Worker's package.
const storeClass = "UserDataStore"

// Mount is what a Worker's wrangler file has of what dbmigrate needs, and what it lacks.
type Mount struct {
	// TOML says that the file is no JSON.
	TOML bool
	// Path is the file's; "" where there is none.
	Path string
	// Bucket, Flags and Store are the names of the bindings: "" where the file has none.
	Bucket, Flags, Store string
	// Node says that the file has the compatibility flag.
	Node bool
	// NextTag is that of wrangler's next migration.
	NextTag string
}

// ReadMount reads the chosen environment of the wrangler file.
func ReadMount(in Input) (Mount, error) {
	if isOwn(in.File) {
		in.File = ""
	}
	f, err := readWrangler(in)
	if err != nil || f == nil {
		return Mount{NextTag: nextTag(nil)}, err
	}
	bucket, err := f.bucket(Given(in).Bucket)
	if err != nil {
		return Mount{}, err
	}
	m := Mount{
		TOML:    filepath.Ext(f.path) == ".toml",
		Path:    f.path,
		Bucket:  bucket.Binding,
		Node:    slices.Contains(f.Flags, "nodejs_compat"),
		NextTag: nextTag(f.Migrations),
	}
	if len(f.KV) > 0 {
		m.Flags = f.KV[0].Binding
	}
	for _, b := range f.Objects.Bindings {
		if b.Class == storeClass {
			m.Store = b.Name
		}
	}
	return m, nil
}

var numberedTag = regexp.MustCompile(`^(.*?)(\d{1,9})$`)

// nextTag counts on from the last migration, where its tag ends in a number.
func nextTag(migrations []objectClasses) string {
	if len(migrations) == 0 {
		return "v1"
	}
	last := migrations[len(migrations)-1].Tag
	parts := numberedTag.FindStringSubmatch(last)
	if parts == nil {
		return last + "-2"
	}
	n, _ := strconv.Atoi(parts[2]) // at most nine digits
	return parts[1] + strconv.Itoa(n+1)
}
