package lint

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// TestImageRuns builds the image as the Dockerfile says, as an OCI layout, and runs it: nothing but its
// files, its user and its entry point. The Go toolchain of this machine stands in for the first stage's
// image, so no registry is needed.
func TestImageRuns(t *testing.T) {
	build, last := stagesOf(t)
	layout := t.TempDir()
	writeLayout(t, layout, last, buildOutput(t, build))
	image := readLayout(t, layout)

	if out, code := image.run(t, "version"); code != 0 || !strings.Contains(out, "dbmigrate") {
		t.Errorf("version: exit %d: %s", code, out)
	}
	if out, code := image.run(t, "scan"); code != 2 { // it has no configuration, and says so
		t.Errorf("scan: exit %d: %s", code, out)
	}
	if program, err := os.Stat(filepath.Join(image.root, "dbmigrate")); err != nil || program.Size() > mostBytes {
		t.Errorf("the program has over %d bytes, or is not there: %v", mostBytes, err)
	}
	for _, file := range []string{"etc/ssl/certs/ca-certificates.crt", "tmp"} {
		if _, err := os.Stat(filepath.Join(image.root, file)); err != nil {
			t.Error(err)
		}
	}
}

// mostBytes is what the program may have: it is fetched by every job that runs it.
const mostBytes = 28_000_000

func stagesOf(t *testing.T) (build, last instructions.Stage) {
	t.Helper()
	parsed, err := parser.Parse(bytes.NewReader(read(t, "../../Dockerfile")))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil || len(stages) != 2 {
		t.Fatalf("%d stages, %v", len(stages), err)
	}
	return stages[0], stages[1]
}

// buildOutput carries out the first stage in a folder that holds only what it copies, and returns what is
// /out there.
func buildOutput(t *testing.T, build instructions.Stage) string {
	t.Helper()
	source, out := t.TempDir(), t.TempDir()
	env := append(os.Environ(), "TARGETOS=linux", "TARGETARCH="+runtime.GOARCH, "VERSION=devel")
	for _, command := range build.Commands {
		switch c := command.(type) {
		case *instructions.CopyCommand:
			for _, name := range c.SourcePaths {
				copyTo(t, filepath.Join("../..", name), filepath.Join(source, name))
			}
		case *instructions.RunCommand:
			run := exec.Command("sh", "-ec", strings.ReplaceAll(strings.Join(c.CmdLine, " "), "/out/", out+"/"))
			run.Dir, run.Env = source, env
			if text, err := run.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", c, err, text)
			}
		}
	}
	return out
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err == nil && info.IsDir() {
		err = os.CopyFS(to, os.DirFS(from))
	} else if err == nil {
		err = os.WriteFile(to, read(t, from), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// imageConfig is the part of an OCI image's configuration that the Dockerfile sets.
type imageConfig struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Config       struct {
		User       string   `json:"User"`
		Entrypoint []string `json:"Entrypoint"`
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType,omitempty"`
	Config        descriptor   `json:"config,omitzero"`
	Layers        []descriptor `json:"layers,omitempty"`
	Manifests     []descriptor `json:"manifests,omitempty"`
}

// writeLayout writes the image of the last stage: one layer, in which what the first stage built lies where
// it is copied.
func writeLayout(t *testing.T, layout string, last instructions.Stage, out string) {
	t.Helper()
	config := imageConfig{Architecture: runtime.GOARCH, OS: "linux"}
	var layer bytes.Buffer
	files := tar.NewWriter(&layer)
	for _, command := range last.Commands {
		switch c := command.(type) {
		case *instructions.CopyCommand:
			for _, name := range c.SourcePaths {
				addTo(t, files, strings.Replace(name, "/out/", out+"/", 1), c.DestPath)
			}
		case *instructions.UserCommand:
			config.Config.User = c.User
		case *instructions.EntrypointCommand:
			config.Config.Entrypoint = c.CmdLine
		default:
			t.Fatalf("the image has %s: this test has to follow the Dockerfile", command.Name())
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	of := blob(t, layout, "application/vnd.oci.image.layer.v1.tar", layer.Bytes())
	config.RootFS.Type, config.RootFS.DiffIDs = "layers", []string{of.Digest}
	m := manifest{
		SchemaVersion: 2,
		MediaType:     "application/vnd.oci.image.manifest.v1+json",
		Layers:        []descriptor{of},
		Config:        blob(t, layout, "application/vnd.oci.image.config.v1+json", marshal(t, config)),
	}
	index := manifest{SchemaVersion: 2, Manifests: []descriptor{blob(t, layout, m.MediaType, marshal(t, m))}}
	write(t, filepath.Join(layout, "index.json"), marshal(t, index))
	write(t, filepath.Join(layout, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`))
}

// addTo puts a file, or what a folder holds, into the layer.
func addTo(t *testing.T, files *tar.Writer, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		below, _ := filepath.Rel(from, name)
		info, statErr := os.Stat(name)
		if err != nil || statErr != nil || below == "." && info.IsDir() {
			return err
		}
		header, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		header.Name = strings.TrimPrefix(path.Join(to, below), "/")
		if below == "." {
			header.Name = strings.TrimPrefix(path.Join(to, filepath.Base(from)), "/")
		}
		header.Uid, header.Gid, header.Uname, header.Gname = 0, 0, "", ""
		if err := files.WriteHeader(header); err != nil || info.IsDir() {
			return err
		}
		_, err = files.Write(read(t, name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func blob(t *testing.T, layout, media string, content []byte) descriptor {
	t.Helper()
	sum := sha256.Sum256(content)
	name := hex.EncodeToString(sum[:])
	write(t, filepath.Join(layout, "blobs", "sha256", name), content)
	return descriptor{media, "sha256:" + name, len(content)}
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// unpacked is an image as a runtime has it: its files and its configuration.
type unpacked struct {
	root   string
	config imageConfig
}

func readLayout(t *testing.T, layout string) unpacked {
	t.Helper()
	var index, m manifest
	readJSON(t, filepath.Join(layout, "index.json"), &index)
	readJSON(t, blobPath(layout, index.Manifests[0]), &m)
	image := unpacked{root: t.TempDir()}
	readJSON(t, blobPath(layout, m.Config), &image.config)
	for _, layer := range m.Layers {
		unpack(t, read(t, blobPath(layout, layer)), image.root)
	}
	return image
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	if err := json.Unmarshal(read(t, name), into); err != nil {
		t.Fatal(err)
	}
}

func blobPath(layout string, d descriptor) string {
	return filepath.Join(layout, "blobs", strings.Replace(d.Digest, ":", "/", 1))
}

func unpack(t *testing.T, layer []byte, root string) {
	t.Helper()
	files := tar.NewReader(bytes.NewReader(layer))
	for header, err := files.Next(); err != io.EOF; header, err = files.Next() {
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(root, header.Name)
		if header.Typeflag == tar.TypeDir {
			err = os.MkdirAll(name, 0o755)
		} else {
			content, _ := io.ReadAll(files)
			write(t, name, content)
		}
		if err == nil {
			err = os.Chmod(name, header.FileInfo().Mode())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// run starts the entry point with the image's files as its root and the image's user; without root, in a
// namespace of its own.
func (u unpacked) run(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	id, err := strconv.Atoi(strings.Split(u.config.Config.User, ":")[0])
	if err != nil || id == 0 {
		t.Fatalf("the image's user is %q: it has to be a number, and not root", u.config.Config.User)
	}
	entry := u.config.Config.Entrypoint
	cmd := exec.Command(entry[0], append(entry[1:], args...)...)
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot:     u.root,
		Credential: &syscall.Credential{Uid: uint32(id), Gid: uint32(id)},
	}
	if os.Geteuid() != 0 {
		own := func(host int) []syscall.SysProcIDMap {
			return []syscall.SysProcIDMap{{ContainerID: id, HostID: host, Size: 1}}
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: u.root, Cloneflags: syscall.CLONE_NEWUSER,
			UidMappings: own(os.Getuid()), GidMappings: own(os.Getgid())}
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatalf("run %s: %v", entry, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
