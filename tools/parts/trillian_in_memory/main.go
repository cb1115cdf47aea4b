// Command trillian_in_memory is Trillian's log server and its sequencer in one process, with Trillian's own storage in
// memory: what a Rekor v1 and a certificate log need behind them for as long as a test lasts. Nothing is kept.
//
// usage: trillian_in_memory HOST:PORT
//
// Rekor makes its own tree; the number of one for the certificate log, which does not, is printed.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/extension"
	operation "github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/server"
	"github.com/google/trillian/server/admin"
	"github.com/google/trillian/server/interceptor"
	"github.com/google/trillian/storage/memory"
	"github.com/google/trillian/util/clock"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: trillian_in_memory HOST:PORT")
	}
	trees := memory.NewTreeStorage()
	registry := extension.Registry{
		AdminStorage: memory.NewAdminStorage(trees),
		LogStorage:   memory.NewLogStorage(trees, nil),
		QuotaManager: quota.Noop(),
	}
	sequencer := operation.NewOperationManager(operation.OperationInfo{
		Registry:    registry,
		BatchSize:   50,
		NumWorkers:  1,
		RunInterval: 50 * time.Millisecond,
		TimeSource:  clock.System,
	}, operation.NewSequencerManager(registry, 0))
	go sequencer.OperationLoop(context.Background())

	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	administration, logs := admin.New(registry, nil), server.NewTrillianLogRPCServer(registry, clock.System)
	tree, err := administration.CreateTree(context.Background(), &trillian.CreateTreeRequest{Tree: &trillian.Tree{
		TreeType: trillian.TreeType_LOG, TreeState: trillian.TreeState_ACTIVE, MaxRootDuration: durationpb.New(time.Hour),
	}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := logs.InitLog(context.Background(), &trillian.InitLogRequest{LogId: tree.TreeId}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("tree", tree.TreeId)
	rpc := grpc.NewServer(grpc.UnaryInterceptor(interceptor.ErrorWrapper))
	trillian.RegisterTrillianAdminServer(rpc, administration)
	trillian.RegisterTrillianLogServer(rpc, logs)
	log.Fatal(rpc.Serve(listener))
}
