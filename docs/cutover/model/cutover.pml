/* The live cutover of one user between its file in R2 and its Durable Object. docs/cutover/README.md says what is modelled and how to
 * read a counterexample; scripts/model/run.sh runs the searches. Configure with -D:
 *
 *   A_COMMANDS, B_COMMANDS  commands of the two operators before the last one
 *   LATE                    messages that can be under way without their sender, 0-2
 *   CRASHES, FAILURES, REPEATS, CORRUPT   how many deaths, unanswered messages, repeated messages, wrongly stored batches
 *   WRITERS, WRITES, READERS, READS, VISITORS
 *   BATCHES 1|2, PRECOPY 0|1, GC 0|1, VACUUM 0|1, GIVES_UP 0|1, DELETES 0|1, EARLY 0|1, CREATES 0|1, RESTORES 0|1, BACKUPS 0|1
 *   UNCONDITIONAL           writes of each of a backend's two requesters; it knows no fence and saves unconditionally; migrate waits and looks
 *   COMPOSITES              composite requests that the Worker goes on with alone
 *   BESIDE                  the last command begins beside older ones that still run, not after them
 *   SPLIT_MODE              the commands split and rollback; FULL_TOO: migrate as well
 *   COLD_WRITES             how many of the writes are to cold rows, 1 or 2; VACUUMS: how many stamps the application drops; ABA: unnoticed
 *   BIRTHS                  the user has no file at first; so many requests of routers let the user begin in the object
 *   RETURNS                 rollbacks may take the composite requests; a repeated one runs twice side by side
 *   SCRIPT                  FREE, or only migrates, or only rollbacks
 */

#ifndef A_COMMANDS
#define A_COMMANDS 1
#endif
#ifndef B_COMMANDS
#define B_COMMANDS 1
#endif
#ifndef LATE
#define LATE 0
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef FAILURES
#define FAILURES 0
#endif
#ifndef REPEATS
#define REPEATS 0
#endif
#ifndef CORRUPT
#define CORRUPT 0
#endif
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef WRITES
#define WRITES 1
#endif
#ifndef READERS
#define READERS 0
#endif
#ifndef READS
#define READS 1
#endif
#ifndef VISITORS
#define VISITORS 0
#endif
#ifndef BATCHES
#define BATCHES 1
#endif
#ifndef PRECOPY
#define PRECOPY 0
#endif
#ifndef GC
#define GC 0
#endif
#ifndef VACUUM
#define VACUUM 0
#endif
#ifndef GIVES_UP
#define GIVES_UP 0
#endif
#ifndef DELETES
#define DELETES 0
#endif
#ifndef EARLY
#define EARLY 0
#endif
#ifndef CREATES
#define CREATES 0
#endif
#ifndef RESTORES
#define RESTORES 0
#endif
#ifndef BACKUPS
#define BACKUPS 0
#endif
#ifndef SPLIT_MODE
#define SPLIT_MODE 0
#endif
#ifndef FULL_TOO
#define FULL_TOO 0
#endif
#ifndef VACUUMS
#define VACUUMS 0
#endif
#ifndef ABA
#define ABA 0
#endif
#ifndef COMPOSITES
#define COMPOSITES 0
#endif
#ifndef UNCONDITIONAL
#define UNCONDITIONAL 0
#endif

#ifndef RETURNS
#define RETURNS 0
#endif
#ifndef BIRTHS
#define BIRTHS 0
#endif

#define FREE          0
#define MIGRATE_ONLY  1
#define ROLLBACK_ONLY 2
#ifndef SCRIPT
#define SCRIPT FREE
#endif

#define OPERATORS ((A_COMMANDS > 0) + (B_COMMANDS > 0))
#define COMMANDS  (A_COMMANDS + B_COMMANDS)
#ifdef BESIDE
#define WAIT_FOR_OTHERS (unclaimed == 0)
#else
#define WAIT_FOR_OTHERS (running == 0)
#endif

#include "checks.pml"
#include "state.pml"
#include "properties.pml"
#include "store.pml"
#include "network.pml"
#if COMPOSITES > 0
#include "composite.pml"
#endif
#if SPLIT_MODE
#include "splitapplication.pml"
#else
#include "application.pml"
#endif
#if RETURNS
#include "return.pml"
#endif
#if BIRTHS > 0
#include "birth.pml"
#endif
#include "operator.pml"

init {
	atomic {
#if A_COMMANDS > 0
		run Operator(A_COMMANDS, 0);
#endif
#if B_COMMANDS > 0
		run Operator(B_COMMANDS, 0);
#endif
		run Operator(1, 1);
#if SPLIT_MODE && HOT_WRITES > 0
		run Writer(1, HOT_WRITES, 0);
#endif
#if SPLIT_MODE
		run Writer(4 >> (COLD_WRITES - 1), COLD_WRITES, 1);
#endif
#if WRITERS > 0 && !SPLIT_MODE
		run Writer(1, WRITES);
#endif
#if WRITERS > 1 && !SPLIT_MODE
		run Writer(1 << WRITES, WRITES);
#endif
#if UNCONDITIONAL > 0
		run OldWriter(1, UNCONDITIONAL);
		run OldWriter(1 << UNCONDITIONAL, UNCONDITIONAL);
#endif
#if READERS > 0
		run Reader(READS);
#endif
#if READERS > 1
		run Reader(READS);
#endif
#if VISITORS > 0
		run Visitor();
#endif
#if BIRTHS > 0
		run Birth();
#endif
#if BIRTHS > 1
		run Birth();
#endif
#if BIRTHS > 2
		run Birth();
#endif
	}
}
