# docs/deploying.md says how to build and run it. Every tool of the field can: docker, podman, buildah.
ARG BASE=python:3.14-slim
# `built`, the default, makes the wheel here; `given` takes the one that `./dev wheel` has put into dist/.
ARG WHEEL

FROM ${BASE} AS built
WORKDIR /source
COPY . .
RUN rm -rf dist && python3 ./dev wheel

FROM scratch AS given
COPY dist/memberstaff-*.whl /source/dist/

# The default stands here: some releases of buildah (1.28) leave out a stage that only the default of an ARG names.
FROM ${WHEEL:-built} AS wheel

FROM ${BASE} AS installed
WORKDIR /install
RUN python3 -m venv /opt/memberstaff
COPY requirements/image.txt ./
RUN /opt/memberstaff/bin/pip install --no-cache-dir --no-compile --only-binary :all: --require-hashes \
      --requirement image.txt
COPY --from=wheel /source/dist/memberstaff-*.whl ./
# Byte code that is not compared with its source's time, which is rounded on the way to the image.
RUN /opt/memberstaff/bin/pip install --no-cache-dir --no-compile --no-deps --no-index ./*.whl \
 && /opt/memberstaff/bin/pip uninstall --yes pip setuptools \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/memberstaff/lib

FROM ${BASE}
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="memberstaff" \
      org.opencontainers.image.description="Staff attendance, recorded and shown live" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Nothing in it installs software.
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin memberstaff \
 && install --directory --owner=memberstaff --group=memberstaff --mode=0700 /data \
 && find /usr \( -path '*-packages/pip*' -o -path '*/ensurepip' -o -path '*/python-wheels' -o -path '*/bin/pip*' \) \
      -prune -exec rm -rf {} +
COPY --from=installed /opt/memberstaff /opt/memberstaff
ENV PATH=/opt/memberstaff/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["python3", "-IS", "-c", "from http.client import HTTPConnection; c = HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/health/live'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["memberstaff"]
CMD ["serve", "--host", "0.0.0.0"]
