package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// withoutProxy is the same world, but asks the runtime itself: a request spends most of its time in
// wrangler's proxy, which no Worker has in production.
func (w *world) withoutProxy(ctx context.Context, u userdb.UserID) (*world, error) {
	cloud, other := *w.cloud, *w
	other.cloud = &cloud
	for _, pid := range workerds() {
		ports, err := listening(pid)
		if err != nil {
			return nil, err
		}
		for _, port := range ports {
			cloud.URL = "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
			if cloud.URL != w.cloud.URL && other.serves(ctx, u) {
				return &other, nil
			}
		}
	}
	return nil, errors.New("find where the runtime listens behind wrangler's proxy: no port answers")
}

func (w *world) serves(ctx context.Context, u userdb.UserID) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := w.request(ctx, u, appRequests[0], 1, "store")
	http.DefaultClient.CloseIdleConnections()
	return err == nil
}

// listening are the TCP ports at which a process takes connections (proc(5), net/tcp).
func listening(pid int) ([]int, error) {
	sockets := map[string]bool{}
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, file := range files {
		if to, err := os.Readlink(file); err == nil {
			sockets[to] = true
		}
	}
	table, err := os.Open(fmt.Sprintf("/proc/%d/net/tcp", pid))
	if err != nil {
		return nil, err
	}
	defer table.Close()
	const listens = "0A"
	var ports []int
	for lines := bufio.NewScanner(table); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != listens || !sockets["socket:["+fields[9]+"]"] {
			continue
		}
		_, port, _ := strings.Cut(fields[1], ":")
		number, err := strconv.ParseInt(port, 16, 32)
		if err != nil {
			return nil, err
		}
		ports = append(ports, int(number))
	}
	return ports, nil
}
