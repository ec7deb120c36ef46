package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// watchPeak polls the process's high-water mark until it ends: the kernel's ru_maxrss would begin with what
// this process had when it forked.
func watchPeak(pid int) (stop func() int64) {
	end, done := make(chan struct{}), make(chan int64)
	go func() {
		var peak int64
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			if now, err := statusField(pid, "VmHWM"); err == nil {
				peak = max(peak, now)
			}
			select {
			case <-ticker.C:
			case <-end:
				done <- peak
				return
			}
		}
	}()
	return func() int64 { close(end); return <-done }
}

// statusField reads one of the sizes in /proc/PID/status, in bytes.
func statusField(pid int, name string) (int64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(content)) {
		if rest, found := strings.CutPrefix(line, name+":"); found {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("read the status of process %d: no %s", pid, name)
}

// workerds are the runtime's processes among this process's descendants.
func workerds() []int {
	var found []int
	for pid, name := range descendants() {
		if name == "workerd" {
			found = append(found, pid)
		}
	}
	return found
}

// descendants are the names of all processes below this one.
func descendants() map[int]string {
	parents, names := map[int]int{}, map[int]string{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		content, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		open, closing := strings.IndexByte(string(content), '('), strings.LastIndexByte(string(content), ')')
		fields := strings.Fields(string(content[closing+1:]))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parents[pid], _ = strconv.Atoi(fields[1])
		names[pid] = string(content[open+1 : closing])
	}
	maps.DeleteFunc(names, func(pid int, _ string) bool { return !descends(pid, os.Getpid(), parents) })
	return names
}

func descends(pid, from int, parents map[int]int) bool {
	for ; pid > 1; pid = parents[pid] {
		if pid == from {
			return true
		}
	}
	return false
}

// workerdMemory is what all of them have now, or had at most since resetPeaks.
func workerdMemory(field string) int64 {
	var sum int64
	for _, pid := range workerds() {
		if bytes, err := statusField(pid, field); err == nil {
			sum += bytes
		}
	}
	return sum
}

// resetPeaks resets the high-water marks (proc(5), clear_refs).
func resetPeaks() {
	for _, pid := range workerds() {
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
	}
}

// cpuTime is what the processes have used so far.
func cpuTime(pids []int) time.Duration {
	const ticksPerSecond = 100 // USER_HZ, the same on every Linux that Go supports
	var ticks int64
	for _, pid := range pids {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
		for _, field := range fields[11:13] { // utime and stime
			n, _ := strconv.ParseInt(field, 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}
