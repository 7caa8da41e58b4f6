# The service alone: app/, models/ and the serving lock. Needs no BuildKit feature.
#
#     docker build -t convolu .
#     docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges --pids-limit 512 --memory 4g -p 127.0.0.1:8000:8000 convolu
#
# It writes nothing and needs no privilege. Each worker, one per core, takes 5 threads and 110 MB with
# the models that come along: the limits are for up to 30 cores; 128 and 1g do for two.
#
# Any Debian-like base with Python 3.11 or newer does: --build-arg BASE_IMAGE=…
ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS build
COPY requirements/serve.txt /tmp/serve.txt
# Compiled here, because the service runs on a read-only file system: a start imports in 0.9 s, not in 2.5.
RUN python3 -m venv /opt/convolu/venv \
 && /opt/convolu/venv/bin/pip install --no-cache-dir --require-hashes -r /tmp/serve.txt \
 && /opt/convolu/venv/bin/pip uninstall --yes pip setuptools
COPY app /opt/convolu/service/app
COPY models /opt/convolu/service/models
COPY LICENSE requirements/serve.cdx.json /opt/convolu/service/
# A checkout may be its owner's alone (umask 077); in the image another user reads it.
RUN /opt/convolu/venv/bin/python -m compileall -q /opt/convolu/service/app \
 && chmod -R a+rX /opt/convolu/service

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="Convolu" \
      org.opencontainers.image.description="Image classification over HTTP: the answer in production is the answer in training." \
      org.opencontainers.image.licenses="Apache-2.0"
# The dependencies are a layer of their own: a new release of the service is a small download.
COPY --from=build /opt/convolu/venv /opt/convolu/venv
COPY --from=build /opt/convolu/service/app /opt/convolu/service/app
COPY --from=build /opt/convolu/service/LICENSE /opt/convolu/service/serve.cdx.json /opt/convolu/service/
COPY --from=build /opt/convolu/service/models /opt/convolu/service/models
WORKDIR /opt/convolu/service
ENV PATH=/opt/convolu/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    CONVOLU_HOST=0.0.0.0 \
    CONVOLU_DEFAULT_MODEL=imagenet-lite0
# A number, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-m", "app.healthcheck"]
CMD ["python", "-m", "app", "serve"]
