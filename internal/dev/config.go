package dev

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/tailscale/hujson"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// The credentials of the local R2. They open nothing but a process on this machine.
const (
	accessKey = "local-key"
	secretKey = "local-secret"
)

// localNamespace is the id of a KV namespace that has none yet: wrangler makes it on deploy.
const localNamespace = "local-flags"

// localConfig is the wrangler configuration at path as JSON, with what the local runtime needs: credentials
// for the buckets over S3, and an id for each namespace. Nothing else differs, so that it is the operator's
// own Worker that runs.
func localConfig(path, environment string) ([]byte, error) {
	top, err := readAny(path)
	if err != nil {
		return nil, userdb.UsageError("read", path, err.Error(), "")
	}
	at := top
	if environment != "" {
		environments, _ := top["env"].(map[string]any)
		at, _ = environments[environment].(map[string]any)
	}
	for _, bucket := range bindings(at, "r2_buckets") {
		bucket["local_dev"] = map[string]any{
			"experimental_s3_credentials": map[string]any{
				"accessKeyId":     accessKey,
				"secretAccessKey": secretKey,
			},
		}
		delete(bucket, "preview_bucket_name")
		delete(bucket, "remote")
	}
	for _, namespace := range bindings(at, "kv_namespaces") {
		if id, _ := namespace["id"].(string); id == "" {
			namespace["id"] = localNamespace
		}
		delete(namespace, "preview_id")
		delete(namespace, "remote")
	}
	return json.MarshalIndent(top, "", "  ")
}

func readAny(path string) (map[string]any, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	file := map[string]any{}
	if strings.HasSuffix(path, ".toml") {
		_, err = toml.Decode(string(text), &file)
		return file, err
	}
	if text, err = hujson.Standardize(text); err != nil {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "hujson: "))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return file, decoder.Decode(&file)
}

// bindings are the objects of a list, whichever of the two parsers has read it.
func bindings(at map[string]any, name string) []map[string]any {
	if list, isTOML := at[name].([]map[string]any); isTOML {
		return list
	}
	list, _ := at[name].([]any)
	var found []map[string]any
	for _, element := range list {
		if binding, is := element.(map[string]any); is {
			found = append(found, binding)
		}
	}
	return found
}
