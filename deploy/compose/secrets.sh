#!/bin/sh
# Makes the secrets of compose.yaml, once. Keep the folder where passwords are kept.
set -eu
umask 077
cd "$(dirname "$0")"
if [ -e secrets ]; then
  echo "deploy/compose/secrets is there already." >&2
  exit 0
fi
rm -rf secrets.new
mkdir secrets.new
database=$(openssl rand -hex 24)
valkey=$(openssl rand -hex 24)
openssl rand -base64 48 | tr -d '\n' > secrets.new/memberstaff_secret_key
printf %s "$database" > secrets.new/postgres_password
printf %s "postgresql+asyncpg://memberstaff:$database@postgres/memberstaff" > secrets.new/memberstaff_database_url
printf %s "redis://memberstaff:$valkey@valkey:6379/0" > secrets.new/memberstaff_broadcast_url
rights='resetkeys ~memberstaff:relay resetchannels &memberstaff &memberstaff:presence -@all +auth +hello +ping +select +subscribe +unsubscribe +publish +eval +getrange +time +set +del'
printf 'user default off\nuser memberstaff on >%s %s\n' "$valkey" "$rights" > secrets.new/valkey_users
# The folder lets nobody in; in the containers, users that have other numbers than you read the files.
chmod 0644 secrets.new/*
mv secrets.new secrets
