# The server and all that it needs but the driver and the model. What is in it, and why: docs/image.md. Every step is a script of
# deploy/image, so that test/image can replay it without Docker.
ARG NODE_IMAGE=node:24.21.0-trixie-slim
ARG PYTHON_IMAGE=python:3.12.15-slim-trixie

FROM ${NODE_IMAGE} AS node
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY deploy/image/install-node.sh deploy/image/
RUN --mount=type=cache,target=/root/.npm deploy/image/install-node.sh

FROM ${PYTHON_IMAGE} AS python
# cu130 (NVIDIA's CUDA 13.0) or cpu.
ARG TORCH=cu130
WORKDIR /app
COPY python/pyproject.toml python/requirements.lock python/
COPY deploy/image/install-python.sh deploy/image/
RUN --mount=type=cache,target=/root/.cache deploy/image/install-python.sh

FROM ${PYTHON_IMAGE}
# on: also the compiler that the setting COMPILE=on calls while the server runs.
ARG COMPILE=off
WORKDIR /app
COPY deploy/image/install-system.sh deploy/image/
RUN deploy/image/install-system.sh
COPY --from=node /usr/local/bin/node /usr/local/bin/
COPY --from=python /opt/venv /opt/venv
COPY --from=node /app/node_modules node_modules
# The root may be read-only: what is written goes to /data, /models, /cache and /tmp. Kernels that CUDA and Triton have made
# are worth keeping.
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin \
    NODE_ENV=production \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHON_PATH=/opt/venv/bin/python \
    HOST=0.0.0.0 \
    PORT=8000 \
    DATA_DIR=/data \
    HF_HOME=/models \
    HOME=/tmp \
    XDG_CACHE_HOME=/cache \
    CUDA_CACHE_PATH=/cache/cuda \
    TRITON_CACHE_DIR=/cache/triton \
    TORCHINDUCTOR_CACHE_DIR=/cache/inductor \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY package.json LICENSE ./
COPY models/tiny-da models/tiny-da
COPY src src
COPY python/whisper_worker python/whisper_worker
COPY deploy/image/entry.sh deploy/image/finish.sh deploy/image/healthy.mjs deploy/image/
RUN deploy/image/finish.sh
USER 1000:1000
VOLUME ["/data", "/models", "/cache"]
EXPOSE 8000
# An hour for the first download of the model. Ready within it is seen after five seconds.
HEALTHCHECK --start-period=1h --start-interval=5s --interval=30s --timeout=10s --retries=3 \
    CMD ["node", "/app/deploy/image/healthy.mjs"]
ENTRYPOINT ["/usr/bin/tini", "-s", "--", "/app/deploy/image/entry.sh"]
CMD ["server"]
