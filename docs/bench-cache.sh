#!/bin/sh
# Fills DIR with a module cache like a busy developer's, for `make bench`: a few
# gigabytes, more than 150,000 files, through the go command's own settings for
# proxies. Nothing outside of DIR is written.
#
#   docs/bench-cache.sh DIR
set -u
dir=${1:?usage: docs/bench-cache.sh DIR}
mkdir -p "$dir/home" || exit 1
dir=$(cd "$dir" && pwd)
export HOME="$dir/home" GOMODCACHE="$dir/mod" GOCACHE="$dir/gocache" GOFLAGS= GOTOOLCHAIN=local

# project NAME MODULE@VERSION…: a project that requires them, with its whole graph.
project() {
	name=$1
	shift
	mkdir -p "$dir/projects/$name" && cd "$dir/projects/$name" || exit 1
	[ -f go.mod ] || go mod init "example.com/$name" || exit 1
	for module; do
		go get "$module" || echo "not downloaded: $module" >&2
	done
	go mod download
}

# versions MODULE VERSION…: those versions alone.
versions() {
	module=$1
	shift
	cd "$dir" || exit 1
	for version; do
		go mod download "$module@$version" || echo "not downloaded: $module@$version" >&2
	done
}

project kubernetes k8s.io/kubernetes@v1.31.0
project client k8s.io/client-go@v0.31.0 sigs.k8s.io/controller-runtime@v0.19.0
project aws github.com/aws/aws-sdk-go@v1.55.5 github.com/aws/aws-sdk-go-v2/service/ec2@v1.179.0 github.com/aws/aws-sdk-go-v2/service/s3@v1.63.0
project google google.golang.org/api@v0.198.0 cloud.google.com/go/storage@v1.43.0 cloud.google.com/go/bigquery@v1.63.0
project azure github.com/Azure/azure-sdk-for-go@v68.0.0+incompatible
project terraform github.com/hashicorp/terraform@v1.9.6
project docker github.com/docker/docker@v27.3.1+incompatible github.com/moby/buildkit@v0.16.0
project telemetry go.opentelemetry.io/collector@v0.110.0 github.com/prometheus/prometheus@v0.54.1
project pulumi github.com/pulumi/pulumi/sdk/v3@v3.133.0
versions github.com/aws/aws-sdk-go v1.44.0 v1.45.0 v1.48.0 v1.50.0 v1.53.0 v1.54.0
versions google.golang.org/api v0.150.0 v0.170.0 v0.180.0 v0.190.0
versions k8s.io/kubernetes v1.28.0 v1.29.0 v1.30.0
versions github.com/Azure/azure-sdk-for-go v66.0.0+incompatible v67.0.0+incompatible
