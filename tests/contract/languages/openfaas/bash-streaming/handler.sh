#!/bin/sh
printf 'got '
cat
