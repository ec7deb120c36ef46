package config

import (
	"cmp"
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
	// Environment is the chosen one; "" is the top level.
	Environment string
	// Main is the Worker's module, beside the file; "" where the file names none.
	Main string
	// Bucket, Flags and Store are the names of the bindings. What the file lacks has the usual name.
	Bucket, Flags, Store string
	// Class is the one that Store binds: UserDataStore, or what the application calls its subclass.
	Class string
	// Lacks is what the file needs besides.
	Lacks []Addition
	// TellsVersion says that a binding tells the Worker which deploy it is: an optional one, never in Lacks.
	TellsVersion bool
	// NeedsBucket says that the bucket of the databases is in Lacks, and nobody has named it.
	NeedsBucket bool
}

// ReadMount reads the chosen environment of the wrangler file.
func ReadMount(in Input) (Mount, error) {
	if isOwn(in.File) {
		in.File = ""
	}
	f, err := readWrangler(in)
	if err != nil {
		return Mount{}, err
	}
	if f == nil {
		f = &wranglerFile{}
	}
	given := Given(in)
	bucket, err := f.bucket(given.Bucket)
	if err != nil {
		return Mount{}, err
	}
	m := Mount{
		TOML:        filepath.Ext(f.path) == ".toml",
		Path:        f.path,
		Environment: f.environment,
		Main:        f.Main,
		Bucket:      bucket.Binding,
	}
	if binding, isObject := f.VersionMetadata.(map[string]any); isObject {
		m.TellsVersion = binding["binding"] == VersionBinding
	}
	if len(f.KV) > 0 {
		m.Flags = f.KV[0].Binding
	}
	m.Store, m.Class = storeAmong(f.Objects.Bindings)
	m.lack(f, given)
	return m, nil
}

// storeAmong finds the binding of the package's class. Under the usual name it is that of a subclass: one of
// the same name beside it would be one too many.
func storeAmong(bindings []objectBinding) (name, class string) {
	for _, b := range bindings {
		if b.Class == storeClass {
			return b.Name, b.Class
		}
	}
	for _, b := range bindings {
		if b.Name == storeName {
			return b.Name, b.Class
		}
	}
	return "", storeClass
}

// Subclassed says that the application has a class of its own for users' data.
func (m Mount) Subclassed() bool { return m.Class != storeClass }

// VersionBinding is the name of the binding that tells the Worker which deploy it is.
const VersionBinding = "CF_VERSION_METADATA"

// The usual names of what is missing.
const (
	usualBucket = "user-data"
	bucketName  = "BUCKET"
	flagsName   = "FLAGS"
	storeName   = "USER_DATA"
)

// lack notes what the file needs besides, in the order in which people read it.
func (m *Mount) lack(f *wranglerFile, given Values) {
	const node = "nodejs_compat"
	if !slices.Contains(f.Flags, node) {
		m.Lacks = append(m.Lacks, Addition{Path: f.pathOf(f.flagsInherited, "compatibility_flags"), Word: node})
	}
	if m.Bucket == "" {
		m.Bucket, m.NeedsBucket = bucketName, given.Bucket == ""
		m.Lacks = append(m.Lacks, Addition{Path: f.pathOf(false, "r2_buckets"), Fields: []Field{
			{"binding", m.Bucket}, {"bucket_name", cmp.Or(given.Bucket, usualBucket)},
		}})
	}
	if m.Flags == "" {
		m.Flags = flagsName
		fields := []Field{{"binding", m.Flags}}
		if given.KVNamespace != "" {
			fields = append(fields, Field{"id", given.KVNamespace})
		}
		m.Lacks = append(m.Lacks, Addition{Path: f.pathOf(false, "kv_namespaces"), Fields: fields})
	}
	if m.Store != "" {
		return
	}
	m.Store = storeName
	m.Lacks = append(m.Lacks,
		Addition{Path: f.pathOf(false, "durable_objects", "bindings"), Fields: []Field{
			{"name", m.Store}, {"class_name", storeClass},
		}},
		Addition{Path: f.pathOf(f.migrationsInherited, "migrations"), Fields: []Field{
			{"tag", nextTag(f.Migrations)}, {"new_sqlite_classes", []string{storeClass}},
		}})
}

// pathOf leads to a list of the environment, or to the one that it inherits.
func (f *wranglerFile) pathOf(inherited bool, names ...string) []string {
	if f.environment == "" || inherited {
		return names
	}
	return append([]string{"env", f.environment}, names...)
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
